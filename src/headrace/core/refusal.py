"""This module describes how a model's server refused a request."""

import msgspec

__all__ = ["LIMITED", "OF_REQUEST", "Refusal"]

OF_REQUEST = frozenset({400, 413, 422})
"""The statuses that say that the request itself cannot be: sent again unchanged it is refused again."""

LIMITED = 429


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the model's server answered: its HTTP `status`, and where it said so which field, and its own code.

    `retry_after_s`: in how many seconds it wants to be asked again.
    """

    status: int
    param: str | None = None
    code: str | None = None
    retry_after_s: int | None = None

    @property
    def of_request(self) -> bool:
        """Whether it is the request that cannot be."""
        return self.status in OF_REQUEST
