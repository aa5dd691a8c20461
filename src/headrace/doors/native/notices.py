"""This module is the door through which a browser follows all that it looks at: its runs, and what changes."""

import re
from collections.abc import Callable

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.core.errors import BadField, NotFound
from headrace.core.principal import Principal
from headrace.doors.house import House, house_of, principal_of
from headrace.doors.joint import JointStream
from headrace.doors.streams import Guard

__all__ = ["MAX_RUNS", "router"]

MAX_RUNS = 100
"""Runs that one stream follows at the most."""

_RUN = re.compile(r"([A-Za-z0-9_-]{1,64})(?::(-1|[0-9]{1,18}))?")

router = APIRouter(tags=["runs"])


@router.get(
    "/events",
    responses={
        200: {
            "description": "Events of runs, and notices, until the caller leaves.",
            "content": {"text/event-stream": {}},
        }
    },
)
async def get_events(request: Request, follow: str = "") -> Response:
    """Follow several runs at once, and be told what changes among the caller's chats, messages, runs and models.

    `follow` is `RUN:SEQ,...`: each run's events after number SEQ (-1, or none: from the start), with `run` and `seq`
    in each. What is no run of the caller's, or no longer kept, is told of as `run.gone`. Frames have no `id`: come
    again with what was read. Notices are not kept: after a break, ask anew for what is shown.
    """
    house, principal = house_of(request), principal_of(request)
    runs, gone = _runs(follow), []
    for run_id in tuple(runs):
        try:
            await house.conversations.check_run(principal, run_id)
        except NotFound:
            gone.append(run_id)
            del runs[run_id]
    return JointStream(
        house.journal,
        runs,
        gone,
        subscribe=lambda told, over: house.board.subscribe(principal.user_id, told, over),
        pulse=house.pulse,
        guard=_guard(house, principal, tuple(runs)),
    )


def _runs(follow: str) -> dict[str, int]:
    """Return the number of the first event to send, for each run that is named."""
    parts = [part for part in follow.split(",") if part]
    if len(parts) > MAX_RUNS:
        raise BadField(f"One stream follows at most {MAX_RUNS} runs.", field="follow")
    runs = {}
    for part in parts:
        found = _RUN.fullmatch(part)
        if found is None:
            raise BadField("Runs to follow are written RUN:SEQ, with commas between them.", field="follow")
        runs[found[1]] = int(found[2] or -1) + 1
    return runs


def _guard(house: House, principal: Principal, run_ids: tuple[str, ...]) -> Guard:
    slot = house.limits.slot(principal.user_id)

    def guard(cut_off: Callable[[], None]) -> Callable[[], None]:
        call_off = house.access.watch(principal, cut_off)
        leaves = [house.readers.arrive(run_id) for run_id in run_ids]

        def over() -> None:
            call_off()
            slot.free()
            for leave in leaves:
                leave()

        return over

    return guard
