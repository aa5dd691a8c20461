"""This module runs what must come to its end, whoever stops waiting for it."""

import asyncio
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

__all__ = ["unbroken"]

T = TypeVar("T")


async def unbroken(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` and return what it returns; once called it goes on to its end, also where the caller is cancelled.

    It begins at once, as a part of the caller; only where it has to wait it becomes a task of its own. So up to its
    first wait it must use nothing that is bound to a task, as `asyncio.timeout` is.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    return await asyncio.shield(asyncio.ensure_future(_rest(work, waits_for)))


@coroutine
def _rest(work: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Go on with a coroutine that has begun already and waits."""
    while True:
        fault: BaseException | None = None
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - for the coroutine to judge, a cancellation above all
            fault = error
        try:
            waits_for = work.send(None) if fault is None else work.throw(fault)
        except StopIteration as end:
            result: T = end.value
            return result
