"""A store with two users in it, the second no admin, and short words for what the suites do with it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

from msgspec import UNSET, UnsetType
from sqlalchemy import Engine, event, insert

from headrace.core.ids import new_run_id
from headrace.core.messages import Message, TextPart, text_of
from headrace.core.principal import LOCAL, Principal
from headrace.core.status import EndStatus
from headrace.store import schema
from headrace.store.records import Outcome, Turn
from headrace.store.store import Store
from headrace.store.turns import Asked

KINDS = ["sqlite"]
"""Every database that the store runs on."""

MARY = Principal(2, "mary", role="member")

NOW = 1_700_000_000_000

HUGE = 2**63
"""The first number that no 64-bit column holds."""


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Store]:
    """Open an empty store of this kind in which user 2 is Mary."""
    assert kind == "sqlite"
    store = Store(folder / "headrace.db")
    await store.open()
    mary = {"name": MARY.name, "role": "member", "created_at": NOW}
    await store._database.write(lambda connection: connection.execute(insert(schema.users), mary).close())
    yield store
    await store.close()


def digest(of: int = 1) -> bytes:
    """Return 32 bytes as a secret is recognised by, others for each number."""
    return of.to_bytes(32)


def asked(**more: Any) -> Asked:
    """Return what every turn has to say of its run, and more."""
    return cast("Asked", {"run_id": new_run_id(), "now_ms": NOW, **more})


async def say(
    store: Store,
    text: str = "Hello",
    *,
    chat_id: int = 1,
    parent_id: int | UnsetType | None = UNSET,
    principal: Principal = LOCAL,
    **more: Any,
) -> Turn:
    """Begin a turn."""
    parts = (TextPart(text),)
    return await store.turns.begin(principal, chat_id, parts=parts, parent_id=parent_id, **asked(**more))


async def end(store: Store, turn: Turn, text: str = "Hi", status: EndStatus = "complete", **more: Any) -> Turn:
    """End the turn's run with this text."""
    parts = (TextPart(text),) if text else ()
    assert await store.runs.finish(turn.run_id, Outcome(status=status, parts=parts, ended_at=NOW + 1, **more))
    return turn


async def exchange(store: Store, text: str = "Hello", answer: str = "Hi", **more: Any) -> Turn:
    """Begin a turn and end its run."""
    return await end(store, await say(store, text, **more), answer)


def told(history: Sequence[Message]) -> list[tuple[str, str]]:
    """Return who said what."""
    return [(message.role, text_of(message.parts)) for message in history]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that are sent to any database meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)
