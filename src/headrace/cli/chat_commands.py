"""This module knows the commands of an interactive chat: lines that begin with a slash and a word."""

import re

import msgspec

__all__ = ["COMMANDS", "Command", "Given", "help_text", "parse"]

_LINE = re.compile(r"/([a-z]*)(?:\s+(.*))?", re.DOTALL)


class Command(msgspec.Struct, frozen=True):
    """A command: its name, what may follow it, and what it does."""

    name: str
    argument: str
    help: str


class Given(msgspec.Struct, frozen=True):
    """A command that was given; `name` need not be one that there is."""

    name: str
    argument: str


COMMANDS = (
    Command("new", "", "begin a new chat"),
    Command("model", "[NAME]", "have this model answer; alone, list them"),
    Command("retry", "", "make another answer to the last message"),
    Command("continue", "", "go on with an answer that was cut"),
    Command("system", "[TEXT]", "set the system prompt, - for none; alone, show it"),
    Command("help", "", "show this"),
    Command("quit", "", "leave"),
)

_KEYS = (
    ("Enter", "send; after a backslash, begin a new line"),
    ("Alt-Enter", "begin a new line"),
    ("Ctrl-C", "stop the answer; at the prompt, clear the line"),
    ("Ctrl-D", "leave"),
)


def parse(line: str) -> Given | None:
    """Return the command that a line is, None for a message: `/etc/hosts` is one, as is what begins with a space."""
    found = _LINE.fullmatch(line.rstrip())
    return Given(found[1], (found[2] or "").strip()) if found else None


def help_text() -> list[str]:
    """Return the lines of `/help`."""
    rows = [(f"/{each.name} {each.argument}".rstrip(), each.help) for each in COMMANDS]
    return [f"{left:15} {right}" for left, right in [*rows, *_KEYS]]
