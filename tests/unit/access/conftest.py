from collections.abc import AsyncIterator
from pathlib import Path

import argon2.profiles
import pytest

from fakes.engines import Clock
from headrace.access.access import Access
from headrace.access.keys import Keys
from headrace.access.passphrases import Passphrases
from headrace.core.principal import LOCAL
from headrace.store.store import Store


class House:
    """Access control over a real store, with a clock that stands still."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock()
        self.access = Access(store, Keys(bytes(range(32))), self.clock, on=True)
        self.access._passphrases = Passphrases(argon2.profiles.CHEAPEST)

    async def token(self, **more: object) -> str:
        """Return the secret of a new token of the first user's."""
        given = {"scopes": None, "expires_at": None, **more}
        _, secret = await self.access.make_token(LOCAL, "laptop", **given)  # type: ignore[arg-type]
        return secret


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    store = Store(tmp_path / "headrace.db")
    await store.open()
    house = House(store)
    yield house
    await house.access.close()
    await store.close()
