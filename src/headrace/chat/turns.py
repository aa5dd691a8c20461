"""This module takes one turn of a conversation from start to end: stored, answered by a run, stored again."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec

from headrace.chat.templates import Use, message_of
from headrace.core import events
from headrace.core.clock import Clock
from headrace.core.errors import BadField, Conflict, NotFound
from headrace.core.ids import new_run_id
from headrace.core.messages import Message, Part, Request, TextPart
from headrace.core.principal import Principal
from headrace.core.status import LIVE
from headrace.core.unbroken import unbroken
from headrace.models.catalogue import Catalogue
from headrace.runs.engine import Engine
from headrace.runs.port import Outcome, Prepare, Spec
from headrace.store import records
from headrace.store.runs import NO_MODEL, client_id_reused
from headrace.store.store import Store

__all__ = ["Asked", "Turns", "settle", "spec_of"]


Call = Callable[..., Awaitable[records.Turn]]
"""One of the store's calls that begin a turn, all but `store.turns.Asked` given."""


Told = Callable[[records.Turn], Request]
"""What the model is told in a turn that is stored."""


Emit = Callable[[list[events.Event]], None]
Body = tuple[Any, ...]
"""What was asked for: the same twice has the same hash."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """How the caller wants an answer made. `client_id` makes asking again harmless."""

    model: str | None = None
    parameters: dict[str, Any] = {}
    client_id: str | None = None


class Turns:
    """Starts turns. What it returns is stored, and its run goes on by itself."""

    def __init__(self, store: Store, engine: Engine, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._catalogue = catalogue
        self._clock = clock
        self._starting: dict[str, list[asyncio.Future[None]]] = {}  # by run: who waits until it has started

    async def begin(
        self,
        principal: Principal,
        chat_id: int,
        parts: tuple[Part, ...],
        asked: Asked,
        *,
        parent_id: int | msgspec.UnsetType | None = msgspec.UNSET,
        template: Use | None = None,
        system_prompt: str | None = None,
        messages: tuple[Message, ...] | None = None,
    ) -> records.Turn:
        """Store the user's message below `parent_id` (UNSET: the chat's leaf; None: nothing) and start its answer.

        With a template the message is what that makes of it, and is stored so: what becomes of the template later
        changes nothing. A `system_prompt` stands in for the chat's, in this turn alone; so do
        `messages`, which are OpenAI's clients', for all that the model is told. Raises `NotFound`; `Conflict`
        with code `chat_busy` where the message to answer is still being made, or `client_id_reused`; `BadField` for a
        parent in another chat, for a template that is not there, and where `message_of` does; `Overloaded`;
        `TooManyRequests`.
        """
        body: Body = ("turn", chat_id, parts, parent_id, asked)
        if system_prompt is not None:
            body = (*body, "system", system_prompt)
        if messages is not None:
            body = (*body, "messages", messages)
        if template is not None:
            body = (*body, template)
            try:
                parts = await self._made(principal, template, parts)
            except (BadField, NotFound) as error:
                before = await self._before(principal, asked, body)
                if before is not None and before.message_id is not None:
                    return _again(before, chat_id, before.message_id)
                if isinstance(error, BadField):
                    raise
                message = f"{error.message} List those there are, and name one."
                raise BadField(message, field="template_id") from error
        call = partial(self._store.turns.begin, principal, chat_id, parts=parts, parent_id=parent_id)
        told = partial(_request, system_prompt=system_prompt, messages=messages, extras=messages is not None)
        return await self._start(principal, call, asked, body, told=told)

    async def alone(
        self,
        principal: Principal,
        messages: tuple[Message, ...],
        asked: Asked,
        *,
        body: Body | None = None,
        extras: bool = False,
    ) -> records.Run:
        """Start an answer to these messages, outside every chat; nothing but its run is stored.

        `body` is what was asked for, where that is not these messages; `extras` as in `Request`. Raises `Conflict` with code
        `client_id_reused`; `Overloaded`; `TooManyRequests`.
        """
        request = Request(model="", messages=messages, parameters=asked.parameters, extras=extras)
        answer = self._alone(principal, request, asked, body or ("alone", messages, asked))
        return await unbroken(answer)

    async def try_template(
        self,
        principal: Principal,
        template: Use,
        parts: tuple[Part, ...],
        asked: Asked,
        *,
        system_prompt: str | None = None,
    ) -> records.Run:
        """Start an answer to what a template makes of a message, outside every chat; nothing but its run is stored.

        Raises `NotFound`; `Conflict` with code `client_id_reused`; `BadField` where `message_of` does; `Overloaded`;
        `TooManyRequests`.
        """
        body = ("try", template, parts, asked, system_prompt)
        try:
            made = Message("user", await self._made(principal, template, parts))
        except (BadField, NotFound):
            before = await self._before(principal, asked, body)
            if before is None:
                raise
            return before
        system = (Message("system", (TextPart(system_prompt),)),) if system_prompt else ()
        return await self.alone(principal, (*system, made), asked, body=body)

    async def regenerate(self, principal: Principal, message_id: int, asked: Asked) -> records.Turn:
        """Start another answer beside this one (or below this message of the user's). Raises as `begin` does."""
        call = partial(self._store.turns.regenerate, principal, message_id)
        return await self._start(principal, call, asked, ("regenerate", message_id, asked))

    async def resume(self, principal: Principal, message_id: int, asked: Asked) -> records.Turn:
        """Go on with an answer that was cut: the same message grows.

        Raises as `begin` does, and `Conflict` with code `not_continuable` for an answer that is whole, or
        `continue_unsupported` where its model's provider cannot go on with a text.
        """
        answerer = asked.model or await self._answerer(principal, message_id)
        await self._check_continue(answerer)
        call = partial(self._store.turns.resume, principal, message_id)
        same = msgspec.structs.replace(asked, model=answerer)
        return await self._start(principal, call, same, ("continue", message_id, asked))

    async def _before(self, principal: Principal, asked: Asked, body: Body) -> records.Run | None:
        """Return the run of the first time that this was asked, whatever became of its template since; None if never.

        Raises `Conflict` with code `client_id_reused`.
        """
        if asked.client_id is None:
            return None
        run = await self._store.runs.find_by_client_id(principal, asked.client_id)
        if run is not None and run.body_hash != _hash(*body):
            raise client_id_reused(asked.client_id)
        return run

    async def _made(self, principal: Principal, use: Use, parts: tuple[Part, ...]) -> tuple[Part, ...]:
        template = await self._store.templates.get(principal, use.template_id)
        return message_of(template, use.variables, parts)

    async def _alone(self, principal: Principal, request: Request, asked: Asked, body: Body) -> records.Run:
        run_id = new_run_id()
        with self._engine.admit(principal.user_id) as room, self._start_of(run_id):
            run = await self._store.runs.create(
                principal,
                run_id=run_id,
                now_ms=self._clock.now_ms(),
                model=asked.model,
                parameters=asked.parameters,
                client_id=asked.client_id,
                body_hash=_hash(*body) if asked.client_id is not None else None,
            )
            if run.id == run_id:
                await self._engine.start(spec_of(run), _prepare(request), room)
            else:
                await self._started(run.id)
        return run

    async def _start(
        self, principal: Principal, call: Call, asked: Asked, body: Body, *, told: Told | None = None
    ) -> records.Turn:
        # once stored, the run must start, whoever hangs up meanwhile
        return await unbroken(self._begun(principal, call, asked, body, told or _request))

    async def _begun(self, principal: Principal, call: Call, asked: Asked, body: Body, told: Told) -> records.Turn:
        run_id = new_run_id()
        with self._engine.admit(principal.user_id) as room, self._start_of(run_id):
            turn = await self._stored(call, asked, body, run_id)
            if turn.created:
                await self._engine.start(_spec(turn, principal), _prepare(told(turn)), room)
            else:
                await self._started(turn.run_id)
        return turn

    def _start_of(self, run_id: str) -> "_Start":
        return _Start(self._starting, run_id)

    async def _started(self, run_id: str) -> None:
        """Return once a run that somebody else asks for just now, under the same `client_id`, is more than stored."""
        waiting = self._starting.get(run_id)
        if waiting is not None:
            started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            waiting.append(started)
            await started

    async def _stored(self, call: Call, asked: Asked, body: Body, run_id: str) -> records.Turn:
        named = partial(
            call,
            model=asked.model,
            parameters=asked.parameters,
            client_id=asked.client_id,
            body_hash=_hash(*body) if asked.client_id is not None else None,
            now_ms=self._clock.now_ms(),
        )
        try:
            return await named(run_id=run_id)
        except Conflict as conflict:
            if conflict.code != "chat_busy" or not self._is_ending(conflict.details["run_id"]):
                raise
            # its end is visible already, but not stored yet: a client that has seen it may go on
            await self._engine.settled(conflict.details["run_id"])
        return await named(run_id=run_id)

    def _is_ending(self, run_id: str) -> bool:
        run = self._engine.get(run_id)
        return run is None or run.ending

    async def _answerer(self, principal: Principal, message_id: int) -> str | None:
        """Return which model goes on with an answer: the one that made it, or was to make it where it never came to that."""
        model = await self._answered_by(principal, message_id)
        if model is not None:
            return model
        message = await self._store.messages.get(principal, message_id)
        if not message.runs:
            return None
        requested = (await self._store.runs.get(principal, message.runs[-1])).model_requested
        return None if requested == NO_MODEL else requested

    async def _answered_by(self, principal: Principal, message_id: int) -> str | None:
        message = await self._store.messages.get(principal, message_id)
        if message.status not in LIVE or not message.runs:
            return message.model
        run = self._engine.get(message.runs[-1])
        if run is not None and not run.ending:
            return run.model
        # its end is decided, but which model it was is stored with the end
        await self._engine.settled(message.runs[-1])
        return (await self._store.messages.get(principal, message_id)).model

    async def _check_continue(self, model: str | None) -> None:
        target = await self._catalogue.resolve(model)
        if not target.can_continue:
            raise Conflict(
                f"{target.id} cannot go on with a text that it is given. Regenerate the answer instead.",
                code="continue_unsupported",
                remedy="regenerate",
            )


class _Start:
    """The time in which a run is stored and started; whoever waits for it is told at the end, also of a failed one."""

    __slots__ = ("_run_id", "_starting")

    def __init__(self, starting: dict[str, list[asyncio.Future[None]]], run_id: str) -> None:
        self._starting = starting
        self._run_id = run_id

    def __enter__(self) -> None:
        self._starting[self._run_id] = []

    def __exit__(self, *_: object) -> None:
        for started in self._starting.pop(self._run_id):
            if not started.done():
                started.set_result(None)


def settle(store: Store) -> Callable[[str, Outcome], Awaitable[object]]:
    """Return what puts a run's outcome into its message. Fills `runs.port.Settle`."""

    async def put(run_id: str, outcome: Outcome) -> None:
        terminal = outcome.terminal
        usage = outcome.usage
        failed = terminal if isinstance(terminal, events.RunFailed) else None
        await store.runs.finish(
            run_id,
            records.Outcome(
                status=outcome.status,
                parts=outcome.parts,
                ended_at=outcome.ended_at,
                model=outcome.model,
                usage=usage and msgspec.structs.replace(usage, timings=None),
                timings=usage.timings if usage is not None else None,
                error=records.Failure(failed.code, failed.message, failed.retryable) if failed is not None else None,
                finish_reason=terminal.reason if isinstance(terminal, events.RunFinished) else None,
            ),
        )

    return put


def spec_of(run: records.Run) -> Spec:
    """Return what a stored run was started with."""
    return Spec(
        run_id=run.id,
        owner=run.owner_id,
        model=run.model_requested,
        parameters=run.parameters,
        chat_id=run.chat_id,
        user_message_id=run.user_message_id,
        assistant_message_id=run.message_id,
        continues=run.continues,
    )


def _spec(turn: records.Turn, principal: Principal) -> Spec:
    return Spec(
        run_id=turn.run_id,
        owner=principal.user_id,
        model=turn.model,
        parameters=turn.parameters,
        chat_id=turn.chat_id,
        user_message_id=turn.user_message_id,
        assistant_message_id=turn.assistant_message_id,
        continues=turn.continues,
    )


def _again(run: records.Run, chat_id: int, message_id: int) -> records.Turn:
    return records.Turn(
        run_id=run.id,
        chat_id=chat_id,
        user_message_id=run.user_message_id,
        assistant_message_id=message_id,
        created=False,
        history=(),
        model=run.model_requested,
        parameters=run.parameters,
    )


def _request(
    turn: records.Turn,
    *,
    system_prompt: str | None = None,
    messages: tuple[Message, ...] | None = None,
    extras: bool = False,
) -> Request:
    messages = turn.history if messages is None else messages
    if system_prompt is not None:
        system = (Message("system", (TextPart(system_prompt),)),) if system_prompt else ()
        messages = (*system, *(message for message in messages if message.role != "system"))
    return Request(
        model="",
        messages=messages,
        parameters=turn.parameters,
        continues=turn.continues,
        extras=extras,
    )


def _prepare(request: Request) -> Prepare:
    async def prepare(_emit: Emit) -> Request:  # a name: what stands here is made anew with each call
        return request

    return prepare


def _hash(*what: object) -> str:
    return hashlib.sha256(msgspec.json.encode([_plain(one) for one in what])).hexdigest()


def _plain(value: Any) -> Any:
    return "unset" if value is msgspec.UNSET else value
