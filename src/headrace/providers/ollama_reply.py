"""This module reads Ollama's reply to a chat: a stream, a whole answer, or a refusal."""

import asyncio

from headrace.core.errors import ProviderError
from headrace.core.events import FinishReason
from headrace.formats.ollama import Decoder, error_of
from headrace.net.port import Exchange
from headrace.providers import openai_reply
from headrace.providers.port import Emit

__all__ = ["error_from", "receive"]

_CLOSE_GRACE_S = 0.25  # after the last line only the body's end is due; a connection without it is not used again


async def receive(exchange: Exchange, emit: Emit, *, think: bool = True) -> FinishReason:
    """Emit the answer of a 200 reply as it arrives and return why it ended.

    `think` splits `<think>` off the start of the text. Does not close the exchange. Raises `ProviderError`; what had
    come by then has been emitted.
    """
    decoder = Decoder(think=think)
    try:
        await _stream(exchange, decoder, emit)
    except ProviderError:
        # the connection broke; with the reason of the end known, the answer is whole
        if decoder.finish_reason is None:
            raise
    decoder.close()
    reason = decoder.finish_reason
    assert reason is not None  # noqa: S101 - otherwise `close` raised
    return reason


def error_from(exchange: Exchange, body: bytes, *, host: str) -> ProviderError:
    """Return the error of a reply that is not 200; `host` is whose reply it is, which callers are not told."""
    if "location" in exchange.headers:
        return openai_reply.error_from(exchange, body, host=host)
    return error_of(exchange.status, body, exchange.headers.get("retry-after"), host=host)


async def _stream(exchange: Exchange, decoder: Decoder, emit: Emit) -> None:
    try:
        await _pump(exchange, decoder, emit)
    finally:
        # also where the connection broke or the run is stopped: what came is not lost
        held = decoder.flush()
        if held:
            emit(held)


async def _pump(exchange: Exchange, decoder: Decoder, emit: Emit) -> None:
    """Return at the end of the body, or a little after the end of the answer where the server keeps it open."""
    clock = asyncio.get_running_loop().time
    feed = decoder.feed

    def take(data: bytes) -> None:
        events = feed(data)
        if events:
            emit(events)
        if decoder.done:
            grace.reschedule(clock() + _CLOSE_GRACE_S)

    try:
        async with asyncio.timeout(None) as grace:
            exchange.receive(take)
            await exchange.finished()
    except TimeoutError:
        pass
