"""This module says who may, for commands: on the data folder itself, whether a server runs or not.

Whoever may write the data folder may do everything, so what is done here is done as an admin. A server that runs notices
within seconds: it looks at what its readers showed every 2 s.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence

import msgspec

from headrace.access.access import Access
from headrace.access.keys import Keys
from headrace.app.folder import STORE, held
from headrace.app.reach import url_of
from headrace.app.settings import Settings
from headrace.core.clock import SystemClock
from headrace.core.principal import LOCAL, Role, Scope
from headrace.store.records import Token, User
from headrace.store.revisions import HEAD, revision_of
from headrace.store.store import Store

__all__ = ["Made", "Office", "opened"]


class Made(msgspec.Struct, frozen=True):
    """A token that was made, and what to show: `secret` is in no other place."""

    token: Token
    user: User
    secret: str


class Office:
    """Who may, in one data folder. Users are known by their names, tokens by their ids."""

    def __init__(self, settings: Settings, store: Store, access: Access) -> None:
        self._settings = settings
        self._store = store
        self._access = access
        self._clock = SystemClock()

    async def make_token(self, name: str, *, user: str, scopes: frozenset[Scope] | None, lives_ms: int | None) -> Made:
        """Make a token of a user, for all that the user may where `scopes` is None. Raises `NotFound`, `BadField`."""
        owner = await self._store.users.named(user)
        token, secret = await self._access.make_token(
            LOCAL, name, scopes, self._expires_at(lives_ms), for_user=owner.id
        )
        return Made(token, owner, secret)

    async def tokens(self) -> Sequence[tuple[Token, User]]:
        """Return all tokens with whose they are, the oldest first."""
        users = {user.id: user for user in await self.users()}
        return [(token, users[token.owner_id]) for token in await self._access.tokens(LOCAL)]

    async def revoke_token(self, token_id: int) -> None:
        """Revoke a token of anybody's. Raises `NotFound`."""
        await self._access.revoke_token(LOCAL, token_id)

    async def users(self) -> Sequence[User]:
        """Return all users."""
        return await self._access.users(LOCAL)

    async def add_user(self, name: str, role: Role) -> User:
        """Add a user. Raises `Conflict`, `BadField`."""
        return await self._access.add_user(LOCAL, name, role)

    async def change_user(self, name: str, *, role: Role | None, disabled: bool | None) -> User:
        """Change what is not None. Raises `NotFound`, and `Conflict` where no admin would be left."""
        user = await self._store.users.named(name)
        return await self._access.change_user(LOCAL, user.id, role=role, disabled=disabled)

    async def invite(self, name: str, *, role: Role, lives_ms: int) -> str:
        """Return a link with which somebody becomes a user of this name, once."""
        _, secret = await self._access.invite(LOCAL, role, name, self._clock.now_ms() + lives_ms)
        return f"{url_of(self._settings.server)}/#signin={secret}"

    def _expires_at(self, lives_ms: int | None) -> int | None:
        return None if lives_ms is None else self._clock.now_ms() + lives_ms


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Office]:
    """Open the data folder; a new one gets its database.

    Raises `SettingsError` where it cannot be used, also where a server of another version runs in it.
    """
    path = settings.server.data_dir / STORE
    with contextlib.ExitStack() as stack:
        if not path.exists() or revision_of(path) != HEAD:
            stack.enter_context(held(settings.server.data_dir))  # tables are made and changed where nobody uses them
        store = Store(path, sync=settings.journal.sync)
        await store.open()
        try:
            keys = Keys(await store.secrets.master())
            yield Office(settings, store, Access(store, keys, SystemClock(), on=settings.server.access))
        finally:
            await store.close()
