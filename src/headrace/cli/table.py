"""This module prints rows as a table for people, or as JSON for programs."""

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from headrace.cli.screen_text import one_line, plain_json

__all__ = ["print_json", "print_table"]

_GAP = "  "


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a line for the head and one for each row; what a terminal would take for a command is escaped."""
    lines = [list(head), *([one_line(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo(_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(plain_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))
