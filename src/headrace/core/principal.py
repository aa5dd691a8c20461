"""This module says on whose behalf a call is made."""

import msgspec

__all__ = ["LOCAL", "Principal"]


class Principal(msgspec.Struct, frozen=True):
    """The caller: every call that reads or writes what belongs to somebody takes one."""

    user_id: int
    name: str


LOCAL = Principal(user_id=1, name="local")
"""The one user that exists from the first migration; until access is on, it is everyone."""
