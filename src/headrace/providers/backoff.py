"""This module says when something that failed may be tried again."""

import asyncio

__all__ = ["Backoff"]

_WAITS_S = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # after the first failure in a row, the second, ...; the last repeats
_STABLE_S = 60.0  # what went well for so long has nothing to do with earlier failures


class Backoff:
    """Counts failures in a row: one may be tried again at once, more after a wait that doubles up to 30 s."""

    def __init__(self) -> None:
        self._failures = 0
        self._again_at = 0.0
        self._well_since: float | None = None

    @property
    def wait_s(self) -> float:
        """How long to wait now; 0 where it may be tried."""
        return max(0.0, self._again_at - _now()) if self._failures else 0.0

    def succeeded(self) -> None:
        """Note that it works, from now on."""
        self._well_since = _now()

    def failed(self) -> None:
        """Note that it failed, or works no more."""
        now = _now()
        if self._well_since is not None and now - self._well_since >= _STABLE_S:
            self._failures = 0
        self._well_since = None
        self._again_at = now + _WAITS_S[min(self._failures, len(_WAITS_S) - 1)]
        self._failures += 1


def _now() -> float:
    return asyncio.get_running_loop().time()
