"""This module says on whose behalf a call is made."""

from typing import Literal

import msgspec

__all__ = ["LOCAL", "SCOPES", "Principal", "Role", "Scope"]

Role = Literal["admin", "member"]
"""An admin may also pull models, see figures, and decide who else may."""

Scope = Literal["chat", "models", "admin"]
"""What a token may be kept to: conversations and their runs; the list of models; what only admins may."""

SCOPES: tuple[Scope, ...] = ("chat", "models", "admin")


class Principal(msgspec.Struct, frozen=True):
    """The caller: every call that reads or writes what belongs to somebody takes one.

    `scopes` is what its token is kept to, None: nothing is left out. `credential` names what was shown, as `token:7`
    or `session:9`; None while access is off.
    """

    user_id: int
    name: str
    role: Role = "admin"
    scopes: frozenset[Scope] | None = None
    credential: str | None = None

    def allows(self, scope: Scope) -> bool:
        """Return whether the caller may do what needs this scope."""
        return (scope != "admin" or self.role == "admin") and (self.scopes is None or scope in self.scopes)


LOCAL = Principal(user_id=1, name="local")
"""The one user that exists from the first migration; until access is on, it is everyone."""
