"""This module tells a model's thoughts from its answer where they come in one text, as `<think>...</think>`.

Only at the very start of an answer, after nothing but white space, is the tag a tag: an answer that talks about it, or
shows it in a code fence, is text and stays text. No more is held back than may still turn out to be part of a tag.
"""

from collections.abc import Callable

from headrace.core.events import Event, Reasoning, Text

__all__ = ["Splitter"]

_OPEN = "<think>"
_CLOSE = "</think>"
_SPACE = " \t\r\n"  # not U+3000 and the like: they may be how a paragraph begins


class Splitter:
    """The text of one answer, split. However its pieces are cut, the joined thoughts and the joined text are the same.

    White space before the tag belongs to the thoughts; that between the end tag and the first word is dropped with
    the tags. A tag that is never closed makes thoughts of all the rest. Once `done` is true every later piece is plain
    text, and the splitter can be let go.
    """

    def __init__(self) -> None:
        self.done = False
        self._lead: list[str] = []  # white space at the very start
        self._held = ""  # what may be the first part of a tag
        self._step: Callable[[str], list[Event]] = self._before

    def feed(self, delta: str) -> list[Event]:
        """Return what is known after the next piece: `reasoning` and `text`, never empty ones."""
        return self._step(self._held + delta)

    def close(self) -> list[Event]:
        """Return what was held back, as the end of the text decides it."""
        held, self._held = "".join(self._lead) + self._held, ""
        thinking = self._step == self._thinking
        self._lead.clear()
        self._decide()
        if not held:
            return []
        return [Reasoning(held)] if thinking else [Text(held)]

    def _decide(self) -> None:
        self.done = True
        self._step = self._text

    def _before(self, text: str) -> list[Event]:
        tag = text.lstrip(_SPACE)
        self._lead.append(text[: len(text) - len(tag)])
        if tag.startswith(_OPEN):
            lead = "".join(self._lead)
            self._lead.clear()
            self._step = self._thinking
            return self._thinking(lead + tag.removeprefix(_OPEN))
        self._held = tag
        return [] if _OPEN.startswith(tag) else self.close()

    def _thinking(self, text: str) -> list[Event]:
        end = text.find(_CLOSE)
        if end >= 0:
            self._held = ""
            self._step = self._after
            thoughts: list[Event] = [Reasoning(text[:end])] if end else []
            return thoughts + self._after(text[end + len(_CLOSE) :])
        tail = text.rfind("<", 1 - len(_CLOSE))
        if tail < 0 or not _CLOSE.startswith(text[tail:]):
            tail = len(text)
        self._held = text[tail:]
        return [Reasoning(text[:tail])] if tail else []

    def _after(self, text: str) -> list[Event]:
        text = text.lstrip(_SPACE)
        if text:
            self._decide()
        return self._text(text)

    def _text(self, text: str) -> list[Event]:
        return [Text(text)] if text else []
