"""This module is what the doors need of the rest of the program, in one place."""

import msgspec
from fastapi import Request

from headrace.chat.conversations import Conversations
from headrace.chat.turns import Turns
from headrace.core.clock import Clock
from headrace.core.principal import LOCAL, Principal
from headrace.doors.follow import Pulse
from headrace.doors.metrics import Meter
from headrace.formats import native
from headrace.journal.port import Journal
from headrace.models.catalogue import Catalogue
from headrace.models.pulls import Pulls
from headrace.runs.engine import Engine
from headrace.store.store import Store

__all__ = ["House", "house_of", "principal_of"]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a route may use. `encoder` is shared by all readers of our own format."""

    store: Store
    journal: Journal
    engine: Engine
    catalogue: Catalogue
    pulls: Pulls
    turns: Turns
    conversations: Conversations
    pulse: Pulse
    meter: Meter
    encoder: native.Encoder
    clock: Clock


def house_of(request: Request) -> House:
    """Return what the application was built with."""
    house: House = request.app.state.house
    return house


def principal_of(request: Request) -> Principal:
    """Return who calls. Until access is on, that is the one user."""
    del request
    return LOCAL
