"""This module keeps templates: named prompts with variables."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from headrace.core.errors import BadField, NotFound
from headrace.core.principal import Principal
from headrace.store.columns import Id
from headrace.store.database import Database
from headrace.store.records import Page, Template, TemplateChanges, Variable
from headrace.store.rows import TEMPLATE, checked_limit, first, record
from headrace.store.schema import templates

__all__ = ["Templates"]

_OWN = templates.c.owner_id == bindparam("owner")
_OWN_TEMPLATE = (templates.c.id == bindparam("template"), _OWN)
_LAST = 2**63 - 1
_CURSOR = re.compile(r"[0-9]{1,18}")  # 18 digits fit into 64 bits

_GET = select(*TEMPLATE).where(*_OWN_TEMPLATE)
_CREATE = insert(templates).returning(*TEMPLATE)
_DELETE = delete(templates).where(*_OWN_TEMPLATE)
_LIST = (
    select(*TEMPLATE)
    .where(_OWN, templates.c.id < bindparam("before", type_=Id))
    .order_by(templates.c.id.desc())
    .limit(bindparam("limit"))
)


def _no_template(template_id: int) -> NotFound:
    """Return the error for a template that is not there, or not the caller's."""
    return NotFound(f"There is no template {template_id}.")


class Templates:
    """The templates of each user. Another's template is not there. Two may have the same name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        principal: Principal,
        *,
        name: str,
        content: str,
        now_ms: int,
        description: str | None = None,
        variables: Sequence[Variable] = (),
    ) -> Template:
        """Store a template and return it. Whether it makes sense is decided before."""
        values = {
            "owner_id": principal.user_id,
            "name": name,
            "description": description,
            "content": content,
            "variables": tuple(variables),
            "created_at": now_ms,
            "updated_at": now_ms,
        }
        return await self._database.write(partial(_create, values=values))

    async def get(self, principal: Principal, template_id: int) -> Template:
        """Return a template. Raises `NotFound`."""
        return await self._database.read(partial(_get, owner=principal.user_id, template_id=template_id))

    async def list(self, principal: Principal, *, limit: int = 50, before: str | None = None) -> Page[Template]:
        """Return up to `limit` (1 to 200) templates, the newest first.

        `before` is the `next` of the page before this one. Raises `BadField`.
        """
        key = {"owner": principal.user_id, "limit": checked_limit(limit) + 1, "before": _place(before)}
        return await self._database.read(partial(_list, key=key, limit=limit))

    async def update(
        self, principal: Principal, template_id: int, changes: TemplateChanges, *, now_ms: int
    ) -> Template:
        """Change what is given and return the template. Raises `NotFound`."""
        values = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET}
        if values:
            values["updated_at"] = now_ms
        work = partial(_update, owner=principal.user_id, template_id=template_id, values=values)
        return await self._database.write(work)

    async def delete(self, principal: Principal, template_id: int) -> None:
        """Remove a template; messages that were made from it stay as they are. Raises `NotFound`."""
        await self._database.write(partial(_delete, owner=principal.user_id, template_id=template_id))


def _create(connection: Connection, values: dict[str, Any]) -> Template:
    return record(Template, connection.execute(_CREATE, values).one())


def _get(connection: Connection, owner: int, template_id: int) -> Template:
    row = connection.execute(_GET, {"template": template_id, "owner": owner}).first()
    return record(Template, first(row, _no_template(template_id)))


def _list(connection: Connection, key: dict[str, Any], limit: int) -> Page[Template]:
    rows = connection.execute(_LIST, key).all()
    found = tuple(record(Template, row) for row in rows[:limit])
    return Page(found, str(found[-1].id) if len(rows) > limit else None)


def _place(before: str | None) -> int:
    if before is None:
        return _LAST
    if not _CURSOR.fullmatch(before):
        raise BadField("This is not the `next` of a page of templates.", field="before")
    return int(before)


def _update(connection: Connection, owner: int, template_id: int, values: dict[str, Any]) -> Template:
    if not values:
        return _get(connection, owner, template_id)
    changed = update(templates).where(*_OWN_TEMPLATE).values(values).returning(*TEMPLATE)
    row = connection.execute(changed, {"template": template_id, "owner": owner}).first()
    return record(Template, first(row, _no_template(template_id)))


def _delete(connection: Connection, owner: int, template_id: int) -> None:
    if connection.execute(_DELETE, {"template": template_id, "owner": owner}).rowcount == 0:
        raise _no_template(template_id)
