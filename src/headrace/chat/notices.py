"""This module tells a user's open pages what has changed, so that they need not ask.

A notice says what it is about, never what is in it: whoever gets one asks again for what is shown. Notices are not
kept; who was away has missed them, and asks for everything.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import msgspec

from headrace.runs.port import Outcome, Spec

__all__ = ["Board", "Kind", "Notice", "RunNotices"]

Kind = Literal[
    "chat.created",
    "chat.changed",
    "chat.deleted",
    "message.deleted",
    "run.created",
    "run.ended",
    "model.changed",
]


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changed. Fields that do not apply are left out."""

    type: Kind
    chat_id: int | None = None
    message_id: int | None = None
    run_id: str | None = None
    status: str | None = None
    provider: str | None = None


Told = Callable[[Notice], None]
"""Takes a notice at once: it never waits and never raises."""


class _Page(NamedTuple):
    told: Told
    over: Callable[[], None]


class Board:
    """Hands on notices, each to the pages of its user that are open now."""

    def __init__(self) -> None:
        self._pages: dict[int, dict[object, _Page]] = {}
        self._closed = False

    def subscribe(self, user_id: int, told: Told, over: Callable[[], None]) -> Callable[[], None]:
        """Hand on what is for this user from now on; return what ends that, harmless when repeated.

        `over` is called once there will be no more.
        """
        key = object()
        self._pages.setdefault(user_id, {})[key] = _Page(told, over)
        if self._closed:
            over()

        def end() -> None:
            own = self._pages.get(user_id, {})
            own.pop(key, None)
            if not own:
                self._pages.pop(user_id, None)

        return end

    def post(self, user_id: int, notice: Notice) -> None:
        """Tell this user's pages."""
        for page in tuple(self._pages.get(user_id, {}).values()):
            page.told(notice)

    def reaches(self, user_id: int) -> bool:
        """Return whether this user has a page open; where not, a notice need not be made."""
        return user_id in self._pages

    def post_to_all(self, notice: Notice) -> None:
        """Tell everybody's pages."""
        for user_id in tuple(self._pages):
            self.post(user_id, notice)

    def close(self) -> None:
        """Tell all pages, also those that come later, that there is no more: the server ends."""
        self._closed = True
        for own in tuple(self._pages.values()):
            for page in tuple(own.values()):
                page.over()


class RunNotices:
    """Tells of runs that begin and end; see `runs.port.Observer`."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def started(self, spec: Spec) -> None:
        """Tell that a run goes on."""
        if self._board.reaches(spec.owner):
            self._board.post(spec.owner, _of_run("run.created", spec, None))

    def first_token(self, spec: Spec, model: str, seconds: float) -> None:
        """Tell nothing: whoever wants to know follows the run."""

    def ended(self, spec: Spec, outcome: Outcome, seconds: float) -> None:
        """Tell that a run has ended, and that its message is as it stays."""
        del seconds
        if self._board.reaches(spec.owner):
            self._board.post(spec.owner, _of_run("run.ended", spec, outcome.status))


def _of_run(kind: Kind, spec: Spec, status: str | None) -> Notice:
    return Notice(
        type=kind, run_id=spec.run_id, chat_id=spec.chat_id, message_id=spec.assistant_message_id, status=status
    )
