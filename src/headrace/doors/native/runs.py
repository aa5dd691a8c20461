"""This module is the door to runs: what goes on, what came of it, its events, and Stop."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from headrace.access.limits import Slot
from headrace.core.errors import BadField, NotAvailable
from headrace.core.principal import Principal
from headrace.doors import views
from headrace.doors.contracts.encoders import FORMATS, encoder_from, encoder_of
from headrace.doors.house import House, house_of, principal_of
from headrace.doors.streams import EventStream
from headrace.formats.port import StreamEncoder

__all__ = ["PLANNED_FORMATS", "check_owner", "event_stream", "router"]

PLANNED_FORMATS = ("anthropic", "gemini")
"""Formats that `/events` is to have, refused by name until it has them."""

_Call = Callable[[], None]

NATIVE = "native"
"""Our own format."""

MAX_SPEED = 1000.0
MAX_DIGITS = 18

router = APIRouter(tags=["runs"])


@router.get("/runs", responses=views.returns(views.RunPage))
async def list_runs(
    request: Request,
    status: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: str | None = None,
) -> Response:
    """List the caller's runs, the newest first. `status` is one status, or several with commas."""
    house = house_of(request)
    page = await house.conversations.runs(principal_of(request), statuses=_statuses(status), limit=limit, before=before)
    shown = tuple(views.run_view(run) for run in page.items)
    return views.answer(views.RunPage(shown, page.next))


@router.get("/runs/{run_id}", responses=views.returns(views.RunView))
async def get_run(request: Request, run_id: str) -> Response:
    """Show one run."""
    run = await house_of(request).conversations.run(principal_of(request), run_id)
    return views.answer(views.run_view(run))


@router.post("/runs/{run_id}/stop", responses=views.returns(views.Stopped))
async def stop_run(request: Request, run_id: str) -> Response:
    """Stop a run: answered once its end is durable. Stopping one that has ended changes nothing."""
    house = house_of(request)
    status = await house.conversations.stop(principal_of(request), run_id)
    return views.answer(views.Stopped(run_id, status), headers={"headrace-run": run_id})


@router.get(
    "/runs/{run_id}/events",
    responses={
        200: {
            "description": "The events, from the one after `after` on.",
            "content": {"text/event-stream": {}, "application/x-ndjson": {}},
        },
        204: {"description": "There is nothing more: the run's last event is not after `after`."},
        410: {"description": "The events are no longer kept."},
    },
)
async def get_events(
    request: Request,
    run_id: str,
    after: Annotated[int, Query(ge=-1)] = -1,
    speed: Annotated[float, Query(ge=0, le=MAX_SPEED)] = 0,
    format: str = NATIVE,  # noqa: A002  the query's name
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response:
    """Follow a run: its events so far, then the others as they are made.

    `Last-Event-ID` beats `after`. With `speed` the events come with the timing that they had, so many times as fast;
    0 is at once. `format` is the words of another API: `relay`, `multimodel`, `tutor`, `documents`, `studio`,
    `openai_chat`, or, as lines of JSON, `ollama`. Its events have no `id`, so resume it with `after`.
    """
    _check_format(format)
    house, principal = house_of(request), principal_of(request)
    await check_owner(house, principal, run_id)
    position = resume_at(last_event_id, after)
    cursor = await house.journal.follow(run_id, position)
    ended = cursor.ended()
    cursor.close()
    if ended:
        return Response(status_code=204, headers={"headrace-run": run_id})
    encoder: StreamEncoder = house.encoder
    if format != NATIVE:
        fed = await encoder_of(house, format, await house.store.runs.get(principal, run_id))
        encoder, position = await encoder_from(house, run_id, position, fed)
    slot = house.limits.slot(principal.user_id)
    return event_stream(house, principal, run_id, position, speed=speed, slot=slot, encoder=encoder)


def event_stream(
    house: House,
    principal: Principal,
    run_id: str,
    start: int,
    *,
    speed: float = 0,
    slot: Slot | None = None,
    encoder: StreamEncoder | None = None,
) -> EventStream:
    """Return the answer that follows a run, for as long as this caller may; then its slot is free.

    Without an `encoder` it is in our own format.
    """

    def guard(cut_off: _Call) -> _Call:  # names: what stands here is made anew with each request
        call_off = house.access.watch(principal, cut_off)
        leave = house.readers.arrive(run_id)

        def over() -> None:
            call_off()
            leave()
            if slot is not None:
                slot.free()

        return over

    return EventStream(
        house.journal,
        run_id,
        start,
        encoder=encoder or house.encoder,
        pulse=house.pulse,
        speed=speed,
        guard=guard,
        headers={"headrace-run": run_id},
    )


def resume_at(last_event_id: str | None, after: int) -> int:
    """Return the number of the first event to send. Raises `BadField`."""
    if not last_event_id:
        return after + 1
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= MAX_DIGITS):
        message = "Last-Event-ID is the number of the last event that was read, as `17`."
        raise BadField(message, field="Last-Event-ID")
    return int(last_event_id) + 1


async def check_owner(house: House, principal: Principal, run_id: str) -> None:
    """Raise `NotFound` where the run is not the caller's; of one that goes on, the store need not be asked."""
    run = house.engine.get(run_id)
    if run is None or run.spec.owner != principal.user_id:
        await house.store.runs.get(principal, run_id)


def _check_format(name: str) -> None:
    there = ", ".join(map(repr, (NATIVE, *FORMATS)))
    if name in PLANNED_FORMATS:
        raise NotAvailable(f"This version has no format {name!r} here yet; there are {there}.", field="format")
    if name not in {NATIVE, *FORMATS}:
        raise BadField(f"There is no format {name!r}; there are {there}.", field="format")


def _statuses(given: str | None) -> tuple[str, ...] | None:
    return tuple(given.split(",")) if given else None
