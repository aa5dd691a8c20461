"""This module knows who shows a secret, and notices when that is over: for open streams, too.

A caller costs one HMAC and one look into a dictionary: what the store said is kept while it is in use. Every two seconds
the store is asked again, in one statement for all tokens and one for all sessions, so that what another process revoked
is noticed as well.
"""

import asyncio
from collections.abc import Callable, Iterable
from itertools import count

import msgspec
import structlog

from headrace.access.credentials import kind_of
from headrace.access.keys import Keys
from headrace.core.clock import Clock
from headrace.core.errors import Unauthorized
from headrace.core.principal import Principal, Scope
from headrace.store.records import Known
from headrace.store.store import Store

__all__ = ["SWEEP_S", "Recognition", "nobody"]

logger = structlog.get_logger("headrace.access")

SWEEP_S = 2.0
"""How often the store is asked whether who was let in still is."""

WRITE_USE_S = 30.0
STALE_S = 3 * SWEEP_S  # without an answer of the store for so long nobody is known any more

Ended = Callable[[], None]


class _Entry:
    """What a secret was found to be. `used`: since the last sweep."""

    __slots__ = ("checked", "expires_at", "principal", "used")

    def __init__(self, principal: Principal, expires_at: int | None, checked: float) -> None:
        self.principal = principal
        self.expires_at = expires_at
        self.checked = checked
        self.used = True


class _Watcher(msgspec.Struct, frozen=True):
    ended: Ended
    scope: Scope


class Recognition:
    """Who shows which token or session. Open it before the first call and close it after the last."""

    def __init__(self, store: Store, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._watchers: dict[str, dict[int, _Watcher]] = {}
        self._numbers = count()
        self._used: dict[int, int] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to ask the store, as a task of the running loop."""
        self._sweeping = asyncio.get_running_loop().create_task(self._sweep(), name="access sweeper")

    async def close(self) -> None:
        """Stop asking, and write down when tokens were used last."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
            await self._write_use()

    def cached(self, secret: str) -> Principal | None:
        """Return who shows this, where that was found out shortly before; None says nothing."""
        kind = kind_of(secret)
        if kind is None or kind == "invitation":
            return None
        entry = self._entries.get(self._keys.digest(kind, secret))
        if entry is None or self._clock.monotonic() - entry.checked > STALE_S:
            return None
        now_ms = self._clock.now_ms()
        if entry.expires_at is not None and entry.expires_at <= now_ms:
            return None
        entry.used = True
        self._note_use(entry.principal, now_ms)
        return entry.principal

    async def known(self, secret: str) -> Principal:
        """Return who shows this token or session. Raises `Unauthorized`, in the same words whatever is wrong with it."""
        principal = self.cached(secret)
        if principal is not None:
            return principal
        kind = kind_of(secret)
        if kind is None or kind == "invitation":
            raise nobody()
        digest = self._keys.digest(kind, secret)
        found = await (self._store.tokens if kind == "token" else self._store.sessions).find(digest)
        now_ms = self._clock.now_ms()
        entry = self._entry(found, now_ms)
        if entry is None:
            self._entries.pop(digest, None)
            raise nobody()
        self._entries[digest] = entry
        self._note_use(entry.principal, now_ms)
        return entry.principal

    def watch(self, principal: Principal, ended: Ended, *, scope: Scope = "chat") -> Callable[[], None]:
        """Have `ended` called, once and on the loop, when the principal may no longer do what needs this scope.

        That is within 5 s of a revocation, an end, or a change of the user. Return what calls it off.
        """
        credential = principal.credential
        if credential is None:  # access is off: nobody can lose it
            return _nothing
        number = next(self._numbers)
        self._watchers.setdefault(credential, {})[number] = _Watcher(ended, scope)

        def call_off() -> None:
            watchers = self._watchers.get(credential)
            if watchers is not None and watchers.pop(number, None) is not None and not watchers:
                del self._watchers[credential]

        return call_off

    async def look(self) -> None:
        """Ask the store about all who are known, at once: after what was changed here."""
        entries = {entry.principal.credential: (digest, entry) for digest, entry in self._entries.items()}
        tokens = self._ids("token", entries)
        sessions = self._ids("session", entries)
        states: dict[str, Known] = {}
        if tokens:
            states |= {f"token:{number}": known for number, known in (await self._store.tokens.states(tokens)).items()}
        if sessions:
            found = await self._store.sessions.states(sessions)
            states |= {f"session:{number}": known for number, known in found.items()}
        now_ms = self._clock.now_ms()
        for credential in (f"{kind}:{one}" for kind, ids in (("token", tokens), ("session", sessions)) for one in ids):
            entry = self._entry(states.get(credential), now_ms)
            self._keep(credential, entries.get(credential), entry)

    def _ids(self, kind: str, entries: Iterable[str | None]) -> list[int]:
        names = {*entries, *self._watchers}
        return [int(name.partition(":")[2]) for name in names if name is not None and name.startswith(f"{kind}:")]

    def _keep(self, credential: str, cached: tuple[bytes, _Entry] | None, entry: _Entry | None) -> None:
        if cached is not None:
            digest, old = cached
            if entry is None:
                self._entries.pop(digest, None)
            elif self._entries.get(digest) is old:
                entry.used = old.used
                self._entries[digest] = entry
        for number, watcher in tuple(self._watchers.get(credential, {}).items()):
            if entry is None or not entry.principal.allows(watcher.scope):
                self._watchers.get(credential, {}).pop(number, None)
                watcher.ended()
        if not self._watchers.get(credential, True):
            del self._watchers[credential]

    def _entry(self, found: Known | None, now_ms: int) -> _Entry | None:
        """Return what to keep of a credential, None where it is good for nothing."""
        if found is None or found.user.disabled_at is not None:
            return None
        token, session, user = found.token, found.session, found.user
        scopes: frozenset[Scope] | None = None
        expires_at: int | None
        if token is not None:
            ended, expires_at, credential = token.revoked_at, token.expires_at, f"token:{token.id}"
            scopes = frozenset(token.scopes) if token.scopes is not None else None
        elif session is not None:
            ended, expires_at, credential = session.ended_at, session.expires_at, f"session:{session.id}"
        else:
            return None
        if ended is not None or (expires_at is not None and expires_at <= now_ms):
            return None
        principal = Principal(user.id, user.name, user.role, scopes, credential)
        return _Entry(principal, expires_at, self._clock.monotonic())

    def _note_use(self, principal: Principal, now_ms: int) -> None:
        kind, _, number = (principal.credential or "").partition(":")
        if kind == "token":
            self._used[int(number)] = now_ms

    async def _sweep(self) -> None:
        since_write = 0.0
        while True:
            await asyncio.sleep(SWEEP_S)
            since_write += SWEEP_S
            try:
                self._forget_unused()
                await self.look()
                if since_write >= WRITE_USE_S:
                    since_write = 0.0
                    await self._write_use()
            except Exception:
                logger.exception("access.unswept")  # the store fails: who is known goes stale

    def _forget_unused(self) -> None:
        for digest, entry in tuple(self._entries.items()):
            if not entry.used:
                del self._entries[digest]
            entry.used = False

    async def _write_use(self) -> None:
        used, self._used = self._used, {}
        if used:
            await self._store.tokens.used(used)


def nobody() -> Unauthorized:
    """Return the one refusal of a secret: it does not tell what is wrong with it."""
    return Unauthorized("This token or sign-in is not known here, or it is over. Make a new one, or sign in again.")


def _nothing() -> None:
    pass
