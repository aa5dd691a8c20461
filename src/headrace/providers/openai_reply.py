"""This module reads the reply to a chat completion: a stream, a whole answer, or a refusal."""

import asyncio

from headrace.core.errors import ProviderError
from headrace.core.events import FinishReason, Text
from headrace.formats.openai_chat import Decoder, decode_reply, error_of
from headrace.net.port import Exchange
from headrace.providers.port import Emit

__all__ = ["error_body", "error_from", "receive"]

_MAX_REPLY_BYTES = 32 * 1024 * 1024  # a whole answer, perhaps with pictures
_MAX_ERROR_BYTES = 64 * 1024
_ERROR_TIMEOUT_S = 5.0  # for the body of an error; without it the status alone must do
_USAGE_GRACE_S = 2.0  # after the reason of the end the usage is due
_CLOSE_GRACE_S = 0.25  # after [DONE] only the body's end is due; a connection without it is not used again


async def receive(exchange: Exchange, emit: Emit, *, think: bool = True, extras: bool = False) -> FinishReason:
    """Emit the answer of a 200 reply as it arrives and return why it ended.

    `think` splits `<think>` off the start of the text; `extras` tells what is said besides. Does not close the exchange.
    Raises `ProviderError`; what had come by then has been emitted.
    """
    content_type = exchange.headers.get("content-type", "").lower()
    if content_type.startswith("application/json"):
        events, reason = decode_reply(await exchange.read(_MAX_REPLY_BYTES), think=think, extras=extras)
        emit(events)
        return reason
    if content_type.startswith("text/html"):
        raise ProviderError(
            "The model's server answered with a web page. Check the provider's base_url: it usually ends in /v1.",
            code="upstream_garbled",
        )
    return await _stream(exchange, emit, Decoder(think=think, extras=extras))


async def error_body(exchange: Exchange) -> bytes:
    """Return the body of a refusal as far as it can be had, and close the exchange."""
    try:
        async with asyncio.timeout(_ERROR_TIMEOUT_S):
            return await exchange.read(_MAX_ERROR_BYTES)
    except (ProviderError, TimeoutError):
        return b""
    finally:
        exchange.close()


def error_from(exchange: Exchange, body: bytes, *, host: str) -> ProviderError:
    """Return the error of a reply that is not 200; `host` is whose reply it is, which callers are not told."""
    if "location" in exchange.headers:
        return ProviderError(
            f"The model's server answered with a redirection (HTTP {exchange.status}), which is not followed. "
            "Set the provider's base_url to the address it leads to.",
            code="upstream_error",
        )
    return error_of(exchange.status, body, exchange.headers.get("retry-after"), host=host)


async def _stream(exchange: Exchange, emit: Emit, decoder: Decoder) -> FinishReason:
    try:
        await _pump(exchange, decoder, emit)
    except BaseException as error:
        # the connection broke or the run is stopped; with the reason of the end known, the answer is whole
        if not isinstance(error, ProviderError) or decoder.finish_reason is None:
            held = decoder.flush()
            if held:
                emit(held)
            raise
    held = decoder.flush()
    if held:
        emit(held)
    last = decoder.close()
    if last:
        emit(last)
    reason = decoder.finish_reason
    assert reason is not None  # noqa: S101 - otherwise `close` raised
    return reason


async def _pump(exchange: Exchange, decoder: Decoder, emit: Emit) -> None:
    """Return at the end of the body, or a little after the end of the answer where the server keeps it open."""
    try:
        async with asyncio.timeout(None) as grace:
            exchange.receive(_Pump(decoder, emit, grace).take)
            await exchange.finished()
    except TimeoutError:
        pass


class _Pump:
    """Takes each piece of a body: an object, as a function within a function is spread over eight places in memory."""

    __slots__ = ("_decoder", "_emit", "_grace", "_repeat")

    def __init__(self, decoder: Decoder, emit: Emit, grace: asyncio.Timeout) -> None:
        self._decoder = decoder
        self._repeat = decoder.repeat
        self._emit = emit
        self._grace = grace

    def take(self, data: bytes) -> None:
        """Emit what a piece brings; once the answer has ended, wait only a little for what may follow."""
        text = self._repeat.text(data)
        emit = self._emit
        if text:  # the path of a token
            emit([Text(text)])
            return
        decoder = self._decoder
        events = decoder.feed(data)
        if events:
            emit(events)
        if decoder.done:
            self._wait(_CLOSE_GRACE_S)
        elif decoder.finish_reason is not None and self._grace.when() is None:
            self._wait(_USAGE_GRACE_S)

    def _wait(self, seconds: float) -> None:
        self._grace.reschedule(asyncio.get_running_loop().time() + seconds)
