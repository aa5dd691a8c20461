"""This module gathers a short body whole."""

from headrace.net.origin import Origin, garbled
from headrace.net.port import Exchange

__all__ = ["gather"]


async def gather(exchange: Exchange, origin: Origin, limit: int) -> bytes:
    """Return the whole body of an exchange, as `Exchange.read` promises."""
    body = bytearray()

    def take(piece: bytes) -> None:
        if len(body) + len(piece) > limit:
            raise garbled(origin, f"sent more than {limit} bytes where a short reply was due")
        body.extend(piece)

    exchange.receive(take)
    await exchange.finished()
    return bytes(body)
