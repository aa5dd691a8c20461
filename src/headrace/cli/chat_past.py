"""This module shows the last messages of a chat that goes on."""

from collections.abc import Sequence

from headrace.cli.api_replies import Message, Tree
from headrace.cli.screen import Screen
from headrace.core.messages import text_of
from headrace.core.status import LIVE

__all__ = ["branch", "show_past"]

_MESSAGES = 4
_CHARACTERS = 2000


def branch(chat: Tree) -> list[Message]:
    """Return the messages of a chat from the first to the one at which it goes on."""
    by_id = {message.id: message for message in chat.messages}
    found: list[Message] = []
    at = chat.leaf_id
    while at is not None and at in by_id:
        # taken out, so that a tree which is none cannot keep us here
        found.append(by_id.pop(at))
        at = found[-1].parent_id
    return found[::-1]


def show_past(screen: Screen, messages: Sequence[Message]) -> None:
    """Show the last of these messages, of long ones the end; one that is still being made as far as it is."""
    left_out = len(messages) - _MESSAGES
    if left_out > 0:
        screen.note(f"[{left_out} messages before]")
    for message in messages[-_MESSAGES:]:
        _show(screen, message)


def _show(screen: Screen, message: Message) -> None:
    text = text_of(message.parts)
    left_out = len(text) - _CHARACTERS
    if left_out > 0:
        screen.note(f"[{left_out} characters before]")
        text = text[left_out:]
    screen.text("> " + text.replace("\n", "\n  ") if message.role == "user" else text)
    screen.flush()
    if message.status in LIVE:
        return  # its line goes on
    screen.end_line()
    if message.status != "complete":
        screen.note(f"[{message.status}]")
