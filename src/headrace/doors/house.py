"""This module is what the doors need of the rest of the program, in one place."""

from collections.abc import Callable

import msgspec
from fastapi import Request

from headrace.access.access import Access
from headrace.access.limits import Limits
from headrace.chat.conversations import Conversations
from headrace.chat.notices import Board
from headrace.chat.turns import Turns
from headrace.core.clock import Clock
from headrace.core.errors import Forbidden, Unauthorized
from headrace.core.principal import Principal, Scope
from headrace.doors.follow import Pulse
from headrace.doors.gate import PRINCIPAL_KEY
from headrace.doors.metrics import Meter
from headrace.doors.readers import Readers
from headrace.formats import native
from headrace.journal.port import Journal
from headrace.models.catalogue import Catalogue
from headrace.models.pulls import Pulls
from headrace.runs.engine import Engine
from headrace.runs.vectors import Embedder
from headrace.store.store import Store

__all__ = ["House", "caller_of", "house_of", "needs", "principal_of"]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a route may use.

    `encoder` is shared by all readers of our own format. Without `streaming` the door of the chat about documents
    answers in one piece. `detached` names the doors whose callers stop nothing by leaving.
    """

    store: Store
    access: Access
    limits: Limits
    journal: Journal
    engine: Engine
    embedder: Embedder
    catalogue: Catalogue
    pulls: Pulls
    turns: Turns
    conversations: Conversations
    board: Board
    pulse: Pulse
    meter: Meter
    encoder: native.Encoder
    clock: Clock
    readers: Readers = msgspec.field(default_factory=Readers)
    streaming: bool = True
    detached: frozenset[str] = frozenset()


def house_of(request: Request) -> House:
    """Return what the application was built with."""
    house: House = request.app.state.house
    return house


def caller_of(request: Request) -> Principal | None:
    """Return who calls, None where nobody said so: on open paths alone."""
    principal: Principal | None = request.scope.get(PRINCIPAL_KEY)
    return principal


def principal_of(request: Request, scope: Scope | None = "chat") -> Principal:
    """Return who calls. Raises `Unauthorized`, and `Forbidden` where the caller may not do what needs this scope.

    None needs none.
    """
    principal = caller_of(request)
    if principal is None:
        raise Unauthorized("Say who you are: with `Authorization: Bearer` and a token, or sign in.")
    if scope is not None and not principal.allows(scope):
        if scope == "admin" and principal.role != "admin":
            raise Forbidden("Only an admin may do this.")
        raise Forbidden(f"This token is kept to other scopes than {scope!r}.")
    return principal


def needs(scope: Scope) -> Callable[[Request], None]:
    """Return what refuses, for all routes of a router, callers who may not do what needs this scope."""

    def check(request: Request) -> None:
        principal_of(request, scope)

    return check
