"""This module keeps what is known of each run, from the call that asked for it to its outcome."""

import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from headrace.core import fold
from headrace.core.errors import BadField, Conflict, NotFound
from headrace.core.messages import text_of
from headrace.core.principal import Principal
from headrace.core.status import ENDED, LIVE
from headrace.store import search
from headrace.store.columns import Id
from headrace.store.database import Database
from headrace.store.prepared import Prepared
from headrace.store.records import UNFINISHED, Outcome, Page, Run
from headrace.store.rows import RUN, checked_limit, first, record
from headrace.store.schema import messages, runs

__all__ = ["NO_MODEL", "Runs", "client_id_reused"]

NO_MODEL = "auto"
"""What `model_requested` says where neither the caller nor the chat names a model."""

_OWN = runs.c.owner_id == bindparam("owner")
_LAST = 2**63 - 1
_CURSOR = re.compile(r"[0-9]{1,18}")  # 18 digits fit into 64 bits

_GET = select(*RUN).where(runs.c.id == bindparam("run"), _OWN)
_GET_BY_CLIENT_ID = Prepared(select(*RUN).where(_OWN, runs.c.client_id == bindparam("client_id")))
_CREATE = Prepared(
    insert(runs).returning(*RUN),
    "id",
    "owner_id",
    "status",
    "model_requested",
    "parameters",
    "continues",
    "created_at",
    "client_id",
    "body_hash",
)
_LIST = (
    select(*RUN)
    .where(_OWN, runs.c.number < bindparam("before", type_=Id))
    .order_by(runs.c.number.desc())
    .limit(bindparam("limit"))
)
_LIST_BY_STATUS = _LIST.where(runs.c.status.in_(bindparam("statuses", expanding=True)))
_UNFINISHED = select(*RUN).where(runs.c.ended_at.is_(None)).order_by(runs.c.number)

_END = Prepared(
    update(runs)
    .where(runs.c.id == bindparam("run"), runs.c.ended_at.is_(None))
    .values(model=func.coalesce(bindparam("answered_by"), runs.c.model))
    .returning(runs.c.message_id, runs.c.continues),
    "status",
    "usage",
    "timings",
    "error",
    "ended_at",
)
_PARTS = Prepared(select(messages.c.parts).where(messages.c.id == bindparam("message")))
_END_MESSAGE = Prepared(
    update(messages)
    .where(messages.c.id == bindparam("message"))
    .values(model=func.coalesce(bindparam("answered_by"), messages.c.model)),
    "status",
    "usage",
    "timings",
    "error",
    "parts",
    "text_folded",
    "finish_reason",
    "updated_at",
)


def client_id_reused(client_id: str | None) -> Conflict:
    """Return the error for a `client_id` that came with something else before."""
    return Conflict(f"The client_id {client_id} was used for another request.", code="client_id_reused")


class Runs:
    """The runs of each user. Another's run is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        principal: Principal,
        *,
        run_id: str,
        now_ms: int,
        model: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        client_id: str | None = None,
        body_hash: str | None = None,
    ) -> Run:
        """Store a run outside every chat and return it.

        The same `client_id` again with the same `body_hash` returns the run of the first time, whose id is not
        `run_id`. Raises `Conflict`, `client_id_reused`, where it came with something else.
        """
        values = {
            "id": run_id,
            "owner_id": principal.user_id,
            "status": UNFINISHED,
            "model_requested": model or NO_MODEL,
            "parameters": parameters or {},
            "continues": False,
            "created_at": now_ms,
            "client_id": client_id,
            "body_hash": body_hash,
        }
        return await self._database.write_short(partial(_create, values=values))

    async def get(self, principal: Principal, run_id: str) -> Run:
        """Return a run. Raises `NotFound`."""
        return await self._database.read(partial(_get, owner=principal.user_id, run_id=run_id))

    async def find_by_client_id(self, principal: Principal, client_id: str) -> Run | None:
        """Return the run that was asked for under this `client_id`; None where there is none."""
        return await self._database.read(partial(_find, owner=principal.user_id, client_id=client_id))

    async def list(
        self,
        principal: Principal,
        *,
        statuses: Collection[str] | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> Page[Run]:
        """Return up to `limit` (1 to 200) runs, the newest first.

        With `statuses`, those only. Which live status a run has is not stored: each of them means all runs that go
        on. `before` is the `next` of the page before this one. Raises `BadField`.
        """
        key: dict[str, Any] = {"owner": principal.user_id, "limit": checked_limit(limit) + 1, "before": _place(before)}
        if statuses is not None:
            key["statuses"] = _stored(statuses)
        return await self._database.read(partial(_list, key=key, limit=limit))

    async def finish(self, run_id: str, outcome: Outcome) -> bool:
        """Store how a run ended, in it and in its message; return whether it had not ended before.

        The server's own call: whoever owns the run. Nothing happens to a run that has ended or is not there. Where
        the run continued its message, `outcome.parts` go after what that had.
        """
        return await self._database.write_short(partial(_finish, run_id=run_id, outcome=outcome))

    async def unfinished(self) -> tuple[Run, ...]:
        """Return every run of every user that has not ended, the oldest first: the server's own call."""
        return await self._database.read(_unfinished)


def _create(connection: Connection, values: dict[str, Any]) -> Run:
    client_id = values["client_id"]
    before = _find(connection, values["owner_id"], client_id) if client_id is not None else None
    if before is None:
        return record(Run, _CREATE.first(connection, values))
    if before.body_hash != values["body_hash"] or before.chat_id is not None:
        raise client_id_reused(client_id)
    return before


def _get(connection: Connection, owner: int, run_id: str) -> Run:
    row = connection.execute(_GET, {"run": run_id, "owner": owner}).first()
    return record(Run, first(row, NotFound(f"There is no run {run_id}.")))


def _find(connection: Connection, owner: int, client_id: str) -> Run | None:
    row = _GET_BY_CLIENT_ID.first(connection, {"owner": owner, "client_id": client_id})
    return None if row is None else record(Run, row)


def _list(connection: Connection, key: dict[str, Any], limit: int) -> Page[Run]:
    rows = connection.execute(_LIST_BY_STATUS if "statuses" in key else _LIST, key).all()
    found = tuple(record(Run, row) for row in rows[:limit])
    return Page(found, str(found[-1].number) if len(rows) > limit else None)


def _place(before: str | None) -> int:
    if before is None:
        return _LAST
    if not _CURSOR.fullmatch(before):
        raise BadField("This is not the `next` of a page of runs.", field="before")
    return int(before)


def _stored(statuses: Collection[str]) -> list[str]:
    for status in statuses:
        if status not in LIVE + ENDED:
            raise BadField(f"There is no status {status!r}.", field="status")
    return sorted({UNFINISHED if status in LIVE else status for status in statuses})


def _finish(connection: Connection, run_id: str, outcome: Outcome) -> bool:
    both = {
        "status": outcome.status,
        "answered_by": outcome.model,
        "usage": outcome.usage,
        "timings": outcome.timings,
        "error": outcome.error,
    }
    run = _END.first(connection, {"run": run_id, "ended_at": outcome.ended_at, **both})
    if run is None:
        return False
    if run.message_id is not None:
        parts = outcome.parts
        if run.continues:
            parts = fold.join(_PARTS.first(connection, {"message": run.message_id}).parts, parts)
        values = {
            "message": run.message_id,
            "parts": parts,
            "text_folded": search.fold(text_of(parts)),
            "finish_reason": outcome.finish_reason,
            "updated_at": outcome.ended_at,
        }
        _END_MESSAGE.run(connection, {**both, **values})
    return True


def _unfinished(connection: Connection) -> tuple[Run, ...]:
    return tuple(record(Run, row) for row in connection.execute(_UNFINISHED))
