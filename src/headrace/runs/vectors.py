"""This module makes vectors within the bounds of runs: while they are made they count as one, and wait in the one queue."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from headrace.core.errors import ProviderError
from headrace.core.vectors import Vectors
from headrace.models.admission import Admission
from headrace.providers.port import Embeds, Provider
from headrace.runs.engine import Engine

__all__ = ["Embedder", "Spent"]

Spent = Callable[[int, int], None]
"""Counts tokens that an owner has used."""


class Embedder:
    """Asks providers for vectors. `timeout_s` bounds how long one may take to make them, waiting not included."""

    def __init__(self, engine: Engine, admission: Admission, *, timeout_s: float, spent: Spent) -> None:
        self._engine = engine
        self._admission = admission
        self._timeout_s = timeout_s
        self._spent = spent

    async def embed(
        self,
        owner: int,
        provider: Provider,
        model: str,
        texts: Sequence[str],
        *,
        dimensions: int | None,
        more: Mapping[str, Any],
    ) -> Vectors:
        """Return a vector for each text, once the provider has a slot.

        When cancelled, the upstream's connection is closed before the cancellation leaves this call. Raises `Overloaded`
        and `TooManyRequests` as a run's start does; `ProviderError`; `TypeError` where this provider makes none.
        """
        if not isinstance(provider, Embeds):
            raise TypeError(f"{provider.name} makes no vectors")
        with self._engine.admit(owner):
            lease = await self._admission.admit(provider.name, slots=provider.slots, owner=owner, on_place=_tell_nobody)
            with lease:
                limit = asyncio.timeout(self._timeout_s)
                try:
                    async with limit:
                        made = await provider.embed(model, texts, dimensions=dimensions, more=more)
                except TimeoutError as error:
                    if not limit.expired():
                        raise
                    raise ProviderError(
                        f"The model made no vectors for {self._timeout_s:g} s (runs.first_token_timeout_s).",
                        code="upstream_silent",
                    ) from error
        self._spent(owner, made.input_tokens or 0)
        return made


def _tell_nobody(_place: int) -> None:
    pass
