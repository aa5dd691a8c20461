"""This module says who may, and lets those who may decide it: users, tokens, invitations, sign-ins."""

import re
from collections.abc import Callable, Sequence

from limits import RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter
from msgspec import UNSET

from headrace.access.credentials import hint, kind_of, mint
from headrace.access.keys import Keys
from headrace.access.limits import Windows
from headrace.access.passphrases import Passphrases
from headrace.access.recognition import Recognition, nobody
from headrace.core.clock import Clock
from headrace.core.errors import BadField, Conflict, Forbidden, NotFound, TooManyRequests, Unauthorized
from headrace.core.principal import LOCAL, Principal, Role, Scope
from headrace.store.records import Invitation, Token, User
from headrace.store.store import Store

__all__ = ["SESSION_MS", "Access"]

SESSION_MS = 30 * 86_400_000
"""How long a browser stays signed in, in ms."""

FIRST_LINK_MS = 3_600_000
"""How long the first admin's link is good, in ms."""

PASSPHRASE = (12, 1024)
"""The least and the most characters of a passphrase."""

_NAME = re.compile(r"[^\W_](?:[\w.@ -]{0,62}[^\W_])?")
_TRIES = RateLimitItemPerMinute(10)


class Access:
    """Who may. With `on` false nobody is asked: everything is done by the one user, `LOCAL`."""

    def __init__(self, store: Store, keys: Keys, clock: Clock, *, on: bool) -> None:
        self.on = on
        self._store = store
        self._keys = keys
        self._clock = clock
        self._recognition = Recognition(store, keys, clock)
        self._passphrases = Passphrases()
        self._tries = MovingWindowRateLimiter(Windows(clock))

    async def open(self) -> None:
        """Begin to notice what is revoked, and remove what is long over."""
        if self.on:
            self._recognition.open()
            await self._store.sessions.prune(self._clock.now_ms() - SESSION_MS)

    async def close(self) -> None:
        """Stop, and write down when tokens were used last."""
        await self._recognition.close()

    def cached(self, secret: str) -> Principal | None:
        """Return who shows this, without waiting, where it is known; None says nothing."""
        return self._recognition.cached(secret)

    async def known(self, secret: str) -> Principal:
        """Return who shows this token or session. Raises `Unauthorized`, in the same words whatever is wrong with it."""
        return await self._recognition.known(secret)

    def watch(self, principal: Principal, ended: Callable[[], None], *, scope: Scope = "chat") -> Callable[[], None]:
        """Have `ended` called when the principal may no longer do what needs this scope; see `Recognition.watch`."""
        return self._recognition.watch(principal, ended, scope=scope)

    # Tokens

    async def make_token(
        self,
        principal: Principal,
        name: str,
        scopes: frozenset[Scope] | None,
        expires_at: int | None,
        *,
        for_user: int | None = None,
    ) -> tuple[Token, str]:
        """Make a token and return it with its secret, which nobody can show again.

        `scopes` None is all that the user may; `expires_at` is in ms since the epoch, None: never. Raises `Forbidden`
        where it would be good for more than the caller's own, `NotFound` for an unknown user, `BadField`.
        """
        if for_user is not None and for_user != principal.user_id:
            _check(principal)
        if principal.scopes is not None and (scopes is None or not scopes <= principal.scopes):
            raise Forbidden("A token cannot make one that is good for more than itself. Name fewer `scopes`.")
        if scopes is not None and not scopes:
            raise BadField("A token without any scope is good for nothing. Leave `scopes` out for all.", field="scopes")
        now_ms = self._clock.now_ms()
        if expires_at is not None and expires_at <= now_ms:
            raise BadField("A token ends in the future.", field="expires_at")
        secret = mint("token")
        token = await self._store.tokens.create(
            principal.user_id if for_user is None else for_user,
            name,
            self._keys.digest("token", secret),
            hint(secret),
            tuple(sorted(scopes)) if scopes is not None else None,
            expires_at,
            now_ms,
        )
        return token, secret

    async def tokens(self, principal: Principal) -> Sequence[Token]:
        """Return the caller's tokens; all users' where the caller may do what an admin may."""
        return await self._store.tokens.list(principal)

    async def revoke_token(self, principal: Principal, token_id: int) -> None:
        """End a token, and what is read with it, at once. Raises `NotFound`, also for another's."""
        await self._store.tokens.revoke(principal, token_id, self._clock.now_ms())
        await self._recognition.look()

    # Users

    async def me(self, principal: Principal) -> User:
        """Return the caller as a user."""
        return await self._store.users.get(principal)

    async def users(self, principal: Principal) -> Sequence[User]:
        """Return all users. Raises `Forbidden`."""
        _check(principal)
        return await self._store.users.list(principal)

    async def add_user(self, principal: Principal, name: str, role: Role) -> User:
        """Add a user, who has no way in yet. Raises `Forbidden`, `BadField`, `Conflict` (`name_taken`)."""
        _check(principal)
        _check_name(name)
        return await self._store.users.add(name, role, self._clock.now_ms())

    async def change_user(
        self, principal: Principal, user_id: int, *, role: Role | None, disabled: bool | None
    ) -> User:
        """Change what is not None, for what is read just now, too.

        Raises `Forbidden`, `NotFound`, `Conflict` (`last_admin`).
        """
        _check(principal)
        user = await self._store.users.change(
            user_id,
            now_ms=self._clock.now_ms(),
            role=UNSET if role is None else role,
            disabled=UNSET if disabled is None else disabled,
        )
        await self._recognition.look()
        return user

    async def set_passphrase(self, principal: Principal, passphrase: str | None) -> None:
        """Set or remove the caller's passphrase; the user's other sessions end. Raises `BadField`, `Forbidden`."""
        if principal.scopes is not None:
            raise Forbidden("A token that is kept to some scopes cannot set the passphrase.")
        least, most = PASSPHRASE
        if passphrase is not None and not least <= len(passphrase) <= most:
            raise BadField(f"A passphrase has from {least} to {most} characters.", field="passphrase")
        hashed = await self._passphrases.hash(passphrase) if passphrase is not None else None
        await self._store.users.set_passphrase(principal.user_id, hashed)
        kind, _, number = (principal.credential or "").partition(":")
        keep = int(number) if kind == "session" else None
        await self._store.sessions.end_all(principal.user_id, self._clock.now_ms(), keep=keep)
        await self._recognition.look()

    # Invitations

    async def invite(
        self, principal: Principal, role: Role, name: str | None, expires_at: int
    ) -> tuple[Invitation, str]:
        """Make an invitation and return it with the secret of its link: it lets in once, until `expires_at` (ms).

        Without a name whoever comes chooses one. Raises `Forbidden`, `BadField`, `Conflict` (`name_taken`).
        """
        _check(principal)
        if name is not None:
            await self._check_free(name)
        now_ms = self._clock.now_ms()
        if expires_at <= now_ms:
            raise BadField("An invitation ends in the future.", field="expires_at")
        secret = mint("invitation")
        made = await self._store.invitations.create(
            self._keys.digest("invitation", secret),
            role=role,
            name=name,
            user_id=None,
            created_by=principal.user_id,
            expires_at=expires_at,
            now_ms=now_ms,
        )
        return made, secret

    async def invitations(self, principal: Principal) -> Sequence[Invitation]:
        """Return all invitations, used ones too. Raises `Forbidden`."""
        _check(principal)
        return await self._store.invitations.list()

    async def first_link(self) -> str | None:
        """Return the secret of a link for the first admin, good for an hour; None once anybody was ever let in."""
        if await self._store.tokens.any_credential():
            return None
        now_ms = self._clock.now_ms()
        secret = mint("invitation")
        await self._store.invitations.create(
            self._keys.digest("invitation", secret),
            role="admin",
            name=None,
            user_id=LOCAL.user_id,
            created_by=None,
            expires_at=now_ms + FIRST_LINK_MS,
            now_ms=now_ms,
        )
        return secret

    # Sign-ins

    async def sign_in(self, secret: str, *, name: str | None = None) -> tuple[str, Principal]:
        """Exchange a token, or the secret of a link, for a session; return the session's secret and who it is.

        `name` is the new user's, where the invitation gives none. Raises `Unauthorized`, `BadField`, `Conflict`
        (`name_taken`): then the invitation is still good.
        """
        if kind_of(secret) == "invitation":
            return await self._session(await self._invited(self._keys.digest("invitation", secret), name))
        if kind_of(secret) != "token":
            raise nobody()
        principal = await self.known(secret)
        if principal.scopes is not None:
            raise Forbidden("A token that is kept to some scopes cannot sign in: a session is good for all.")
        return await self._session(principal.user_id)

    async def sign_in_passphrase(self, name: str, passphrase: str) -> tuple[str, Principal]:
        """Sign in by name and passphrase; returns as `sign_in` does. Raises `Unauthorized`, `TooManyRequests`."""
        if not (_NAME.fullmatch(name) and len(passphrase) <= PASSPHRASE[1]):
            raise _wrong()
        if not self._tries.hit(_TRIES, name):
            raise TooManyRequests("There were too many tries for this name. Wait a minute.", retry_after_s=60)
        found = await self._store.users.passphrase(name)
        right = await self._passphrases.verify(passphrase, found[1] if found is not None else None)
        if found is None or not right or found[0].disabled_at is not None:
            raise _wrong()
        return await self._session(found[0].id)

    async def sign_out(self, principal: Principal) -> None:
        """End the caller's session; with a token there is nothing to end."""
        kind, _, number = (principal.credential or "").partition(":")
        if kind == "session":
            await self._store.sessions.end(principal, int(number), self._clock.now_ms())
            await self._recognition.look()

    async def _session(self, user_id: int) -> tuple[str, Principal]:
        secret, now_ms = mint("session"), self._clock.now_ms()
        await self._store.sessions.create(user_id, self._keys.digest("session", secret), now_ms + SESSION_MS, now_ms)
        return secret, await self.known(secret)

    async def _invited(self, digest: bytes, name: str | None) -> int:
        """Use an invitation up; return the user that it lets in."""
        found = await self._store.invitations.find(digest, self._clock.now_ms())
        if found is None or not await self._still_invites(found):
            raise nobody()
        wanted = found.name or name
        if found.user_id is None:
            if wanted is None:
                raise BadField("This invitation has no name. Choose one: `name`.", field="name")
            await self._check_free(wanted)
        taken = await self._store.invitations.take(digest, self._clock.now_ms())
        if taken is None:
            raise nobody()
        if taken.user_id is not None:
            return taken.user_id
        return (await self._store.users.add(wanted or "", taken.role, self._clock.now_ms())).id

    async def _still_invites(self, invitation: Invitation) -> bool:
        """Return whether who made the invitation could make it now."""
        if invitation.created_by is None:
            return True
        maker = await self._store.users.get(Principal(invitation.created_by, ""))
        return maker.role == "admin" and maker.disabled_at is None

    async def _check_free(self, name: str) -> None:
        _check_name(name)
        try:
            await self._store.users.named(name)
        except NotFound:
            return
        raise Conflict(f"There is a user {name!r} already.", code="name_taken")


def _check(principal: Principal) -> None:
    if not principal.allows("admin"):
        raise Forbidden("Only an admin may do this, with a sign-in or a token that is not kept to less.")


def _wrong() -> Unauthorized:
    return Unauthorized("The name or the passphrase is wrong.")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadField(
            "A name has from 1 to 64 letters and digits, and between them also blanks, dots, hyphens, `_` and `@`.",
            field="name",
        )
