"""This module serves a run in the words of a contract: as a stream, or in one piece.

A caller who leaves before the end stops the run, its only way to cancel, unless somebody else reads it too, the
request said `Headrace-Detach: true`, or the settings say so of the door. What was made is kept in any case.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from typing import Annotated, Any

from fastapi import Path, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from headrace.chat.templates import MAX_TEXT, Use
from headrace.chat.turns import Asked
from headrace.core.errors import Conflict
from headrace.core.events import RunFailed, RunInterrupted, RunStopped, Terminal
from headrace.core.messages import Message, Part, TextPart
from headrace.core.principal import Principal
from headrace.core.status import LIVE
from headrace.doors.errors import head_of
from headrace.doors.heads import header_of
from headrace.doors.house import House, house_of, principal_of
from headrace.doors.sink import SCOPE_KEY, Sink
from headrace.doors.streams import EventStream, Guard
from headrace.formats import native
from headrace.formats.port import ReplyEncoder
from headrace.store.records import Turn

__all__ = ["STREAM", "WHOLE", "Asking", "ChatId", "ChatPath", "Text", "asked_for", "begin", "stream", "whole"]

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT)]
ChatId = Annotated[int, Field(ge=1, strict=False)]
"""The id of a chat in a body; front ends that keep it as text send it as text."""

ChatPath = Annotated[int, Path(ge=1)]

_Call = Callable[[], None]

FATE_S = 0.03
"""How long a door waits for a run's fate before it sends 200: with what it does besides, the head is out in 40 ms."""

STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer as it is made.", "content": {"text/event-stream": {}}}
}
WHOLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer once it is complete.", "content": {"application/json": {}}}
}


class Asking(BaseModel):
    """What a contract's request has beside its own fields. Fields that are not known are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


def asked_for(body: Asking) -> Asked:
    """Return how the caller wants the answer made, where the contract lets it say no more than the model."""
    return Asked(model=body.model)


async def begin(
    request: Request,
    chat_id: int,
    text: str,
    asked: Asked,
    *,
    template: Use | None = None,
    system_prompt: str | None = None,
    parts: tuple[Part, ...] | None = None,
    messages: tuple[Message, ...] | None = None,
) -> Turn:
    """Store the user's message and start its answer. `parts` stand in for `text`, `messages` for the chat's.

    Where an answer of the chat is still being made, the message hangs on the last one that is finished. Raises as
    `Turns.begin` does, but `Conflict` only where the chat becomes busy once more meanwhile.
    """
    house, principal = house_of(request), principal_of(request)
    start = partial(
        house.turns.begin,
        principal,
        chat_id,
        (TextPart(text),) if parts is None else parts,
        asked,
        template=template,
        system_prompt=system_prompt,
        messages=messages,
    )
    try:
        return await start()
    except Conflict as conflict:
        if conflict.code != "chat_busy":
            raise
    return await start(parent_id=await _last_finished(house, principal, chat_id))


async def stream(request: Request, run_id: str, encoder: ReplyEncoder, *, door: str) -> Response:
    """Answer with a run's events from the start; with status and error object where it has failed by now.

    `door` is the name under which the settings know who answers.
    """
    house = house_of(request)
    run = house.engine.get(run_id)
    if run is not None:
        await run.told(FATE_S)
        if run.outcome is not None and isinstance(run.outcome.terminal, RunFailed | RunInterrupted):
            return await _ended(request, run_id, encoder)
    return EventStream(
        house.journal,
        run_id,
        0,
        encoder=encoder,
        pulse=house.pulse,
        guard=_reader(request, run_id, door),
        headers={"headrace-run": run_id},
    )


async def whole(request: Request, run_id: str, encoder: ReplyEncoder, *, door: str) -> Response:
    """Answer with all of a run once it has ended, always with its true status. `door` is as for `stream`."""
    house = house_of(request)
    run = house.engine.get(run_id)
    if run is not None:
        sink: Sink = request.scope["extensions"][SCOPE_KEY]
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        over = _reader(request, run_id, door)(sink.abort)
        sink.attach(_nothing, partial(_resolve, gone))
        try:
            await asyncio.wait([run.durable, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            sink.detach()
            over()
        if not run.durable.done():
            return Response(status_code=204)  # nobody reads it
    return await _ended(request, run_id, encoder)


def _reader(request: Request, run_id: str, door: str) -> Guard:
    """Return what looks after the caller as a reader: cut off when access ends, and stopping the run by leaving."""
    house, principal = house_of(request), principal_of(request)
    asked_to = (header_of(request, b"headrace-detach") or "").strip().lower() == "true"
    detached = asked_to or door in house.detached

    def guard(cut_off: _Call) -> _Call:  # names: what stands here is made anew with each request
        call_off = house.access.watch(principal, cut_off)
        leave = house.readers.arrive(run_id)

        def over() -> None:
            call_off()
            run = house.engine.get(run_id)
            if leave() and not detached and run is not None:
                run.cancel(RunStopped("disconnect"))  # does nothing where the end is what the caller left after

        return over

    return guard


async def _ended(request: Request, run_id: str, encoder: ReplyEncoder) -> Response:
    entries = await house_of(request).journal.read(run_id)
    encoder.skip(entries)
    end = native.decode(entries[-1])
    assert isinstance(end, Terminal)  # noqa: S101  what has ended has its end
    status, headers = head_of(end, run_id, request.scope["path"])
    return Response(encoder.reply(), status_code=status, headers=headers, media_type="application/json")


async def _last_finished(house: House, principal: Principal, chat_id: int) -> int | None:
    chat = await house.store.chats.get(principal, chat_id)
    if chat.leaf_id is None:
        return None
    branch = await house.store.messages.path(principal, chat.leaf_id)
    finished = list(takewhile(lambda message: message.status not in LIVE, branch))
    return finished[-1].id if finished else None


def _nothing() -> None:
    pass


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
