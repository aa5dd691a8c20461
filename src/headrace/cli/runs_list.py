"""This module lists runs, as a table for people or as JSON for programs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from headrace.cli.api import Api
from headrace.cli.api_replies import Run, Runs
from headrace.cli.screen import Screen
from headrace.cli.screen_text import fit, one_line, plain_json

__all__ = ["show", "table"]

_HEAD = ("ID", "STATUS", "MODEL", "CHAT", "STARTED", "TOKENS", "TOKENS/S")
_NUMBERS = {3, 5, 6}  # the columns that are set to the right
_MODEL = 2  # the column that gives way
_LEAST = 8
_GAP = "  "
_PAGE = 200


async def show(api: Api, *, screen: Screen, status: str | None, limit: int, as_json: bool) -> int:
    """Print the newest `limit` runs, of these statuses where some are given; return the exit status."""
    found = await _find(api, status, limit)
    if as_json:
        screen.text(plain_json(msgspec.json.format(msgspec.json.encode(found), indent=2).decode()) + "\n")
    elif found:
        screen.text(table(msgspec.convert(found, list[Run]), columns=screen.columns) + "\n")
    else:
        screen.note("there are no runs" if status is None else f"there are no runs that are {status}")
    screen.flush()
    return 0


async def _find(api: Api, status: str | None, limit: int) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    query: dict[str, Any] = {"limit": min(limit, _PAGE), **({} if status is None else {"status": status})}
    while len(found) < limit:
        page = await api.ask("GET", f"/runs?{urlencode(query)}", Runs)
        found += page.runs
        if page.next is None:
            break
        query["before"] = page.next
    return found[:limit]


def table(runs: Sequence[Run], *, columns: int | None) -> str:
    """Return the lines of the table; where `columns` are given, the model's name is cut to what they leave for it."""
    rows = [_HEAD, *map(_row, runs)]
    if columns is not None:
        others = sum(width for at, width in enumerate(_widths(rows)) if at != _MODEL) + len(_GAP) * (len(_HEAD) - 1)
        room = max(columns - others, _LEAST)
        rows = [(*row[:_MODEL], fit(row[_MODEL], room), *row[_MODEL + 1 :]) for row in rows]
    widths = _widths(rows)
    return "\n".join(_line(row, widths) for row in rows)


def _row(run: Run) -> tuple[str, ...]:
    tokens = run.usage.output_tokens if run.usage is not None else None
    about = "~" if run.usage is not None and run.usage.estimated else ""
    speed = run.timings.tokens_per_second if run.timings is not None else None
    return (
        one_line(run.id),
        one_line(run.status),
        one_line(run.model or run.model_requested),
        "-" if run.chat_id is None else str(run.chat_id),
        f"{datetime.fromtimestamp(run.created_at / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}",
        "-" if tokens is None else f"{about}{tokens}",
        "-" if speed is None else f"{speed:.1f}",
    )


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _line(row: tuple[str, ...], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if at in _NUMBERS else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return _GAP.join(cells).rstrip()
