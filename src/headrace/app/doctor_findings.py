"""This module has the word that every check of the doctor says: a finding."""

from typing import Literal

import msgspec

__all__ = ["Finding", "Status", "ok", "problem", "warning"]

Status = Literal["ok", "warning", "problem"]
"""`problem`: Headrace does not start, or does not answer. `warning`: it does, and something is not as it should be."""


class Finding(msgspec.Struct, frozen=True):
    """What one check found: `check` names it, `what` is a sentence, `remedy` one that says what to do, if anything."""

    check: str
    status: Status
    what: str
    remedy: str | None = None


def ok(check: str, what: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", what)


def warning(check: str, what: str, remedy: str) -> Finding:
    """Return what should be looked at."""
    return Finding(check, "warning", what, remedy)


def problem(check: str, what: str, remedy: str) -> Finding:
    """Return what must be mended."""
    return Finding(check, "problem", what, remedy)
