"""This module is the life cycle of a run, as a table. Pure.

    queued -> loading -> reading -> streaming -> complete | stopped | failed | interrupted

A run may skip phases and never goes back, but that a model may have to load after a queue or while the prompt is read.
"""

from typing import Final, Literal

from headrace.core.status import ENDED, LIVE, Status

__all__ = ["Signal", "advance", "has_ended"]

Signal = Literal["load", "read", "token", "finish", "stop", "fail", "interrupt"]

_ENDINGS: Final[dict[Signal, Status]] = {
    "finish": "complete",
    "stop": "stopped",
    "fail": "failed",
    "interrupt": "interrupted",
}

_TABLE: Final[dict[tuple[Status, Signal], Status]] = {
    ("queued", "load"): "loading",
    ("queued", "read"): "reading",
    ("queued", "token"): "streaming",
    ("loading", "load"): "loading",
    ("loading", "read"): "reading",
    ("loading", "token"): "streaming",
    ("reading", "load"): "loading",
    ("reading", "read"): "reading",
    ("reading", "token"): "streaming",
    ("streaming", "load"): "streaming",
    ("streaming", "read"): "streaming",
    ("streaming", "token"): "streaming",
}


def advance(status: Status, signal: Signal) -> Status:
    """Return the status after a signal. Raises `ValueError` for a run that has ended: nothing follows the end."""
    if has_ended(status):
        raise ValueError(f"a run that is {status} takes no {signal!r}")
    return _ENDINGS.get(signal) or _TABLE[status, signal]


def has_ended(status: str) -> bool:
    """Return whether a run with this status has ended. Raises `ValueError` for a word that is no status."""
    if status not in LIVE and status not in ENDED:
        raise ValueError(f"{status!r} is no status")
    return status in ENDED
