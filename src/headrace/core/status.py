"""This module holds the words that a run and the message it makes share."""

from typing import Final, Literal

__all__ = ["ENDED", "LIVE", "EndStatus", "Status"]

EndStatus = Literal["complete", "stopped", "failed", "interrupted"]
Status = Literal["queued", "loading", "reading", "streaming", "complete", "stopped", "failed", "interrupted"]

LIVE: Final[tuple[Status, ...]] = ("queued", "loading", "reading", "streaming")
ENDED: Final[tuple[Status, ...]] = ("complete", "stopped", "failed", "interrupted")
