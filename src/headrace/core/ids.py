"""This module makes the ids that Headrace hands out."""

import secrets

__all__ = ["new_run_id"]


def new_run_id() -> str:
    """Return a new opaque run id: 26 URL-safe characters, 128 random bits, never reused."""
    return "run_" + secrets.token_urlsafe(16)
