"""This module asks for vectors on behalf of a caller, and no longer than the caller waits."""

import asyncio
from functools import partial

from fastapi import Request

from headrace.core.errors import BadField
from headrace.core.vectors import Vectors
from headrace.doors.house import house_of, principal_of
from headrace.doors.sink import SCOPE_KEY, Sink
from headrace.formats.asking import refuse
from headrace.formats.embeddings import Asked
from headrace.providers.port import Embeds

__all__ = ["vectors_for"]


async def vectors_for(request: Request, asked: Asked) -> tuple[Vectors, str] | None:
    """Return the vectors and the model's id; None where the caller has left, and nobody is asked any more.

    Raises `ProviderError`; `BadField` where the model's provider makes none, or has nothing for what is asked;
    `Overloaded` and `TooManyRequests` where there is no room, as for a run.
    """
    house, principal = house_of(request), principal_of(request)
    target = await house.catalogue.resolve(asked.model)
    provider = target.provider
    if not isinstance(provider, Embeds):
        raise BadField(
            f"{target.id} makes no vectors ({provider.kind}). Name a model of a provider of kind `openai` or `ollama`.",
            field="model",
            code="not_available",
        )
    if asked.more and provider.kind != "ollama":
        name = next(iter(asked.more))
        raise refuse(name, f"{target.id} is not asked over Ollama's API, and has nothing for {name!r}.")
    making = asyncio.ensure_future(
        house.embedder.embed(
            principal.user_id, provider, target.model, asked.texts, dimensions=asked.dimensions, more=asked.more
        )
    )
    sink: Sink = request.scope["extensions"][SCOPE_KEY]
    call_off = house.access.watch(principal, sink.abort)  # whose access ends is cut off
    try:
        await _done_or_gone(sink, making)
        return (await making, target.id) if making.done() else None
    finally:
        call_off()
        making.cancel()
        await asyncio.wait([making])


async def _done_or_gone(sink: Sink, making: asyncio.Future[Vectors]) -> None:
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    sink.attach(_nothing, partial(_resolve, gone))
    try:
        making.add_done_callback(lambda _: _resolve(gone))
        await gone
    finally:
        sink.detach()


def _nothing() -> None:
    pass


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
