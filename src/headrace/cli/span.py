"""This module reads and writes times as the commands show them: how long something lives, and when it was."""

import re
from datetime import UTC, datetime

import click

__all__ = ["SPAN", "moment"]

_SPAN = re.compile(r"([1-9][0-9]{0,4})([hdwy])")
_HOUR_MS = 3_600_000
_UNITS_MS = {"h": _HOUR_MS, "d": 24 * _HOUR_MS, "w": 7 * 24 * _HOUR_MS, "y": 365 * 24 * _HOUR_MS}


class _Span(click.ParamType[int]):
    """`12h`, `30d`, `4w` or `1y`, in milliseconds."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType`."""
        if isinstance(value, int):
            return value
        found = _SPAN.fullmatch(str(value))
        if found is None:
            self.fail("takes a number and h, d, w or y, as 30d.", param, ctx)
        return int(found[1]) * _UNITS_MS[found[2]]


SPAN = _Span()


def moment(at_ms: int | None, *, none: str) -> str:
    """Return when it was, in this machine's time zone, or `none` where it was or will be never."""
    return none if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone():%Y-%m-%d %H:%M}"
