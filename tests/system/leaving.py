"""This module holds how soon a model server is left once nobody wants its answer, and sees that it is."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fakes.upstream import FakeUpstream
from system.calls import asked, closed, marked

__all__ = ["CLOSED_S", "TRIES", "check_leaving"]

CLOSED_S = 0.1
"""The promise: so long after Stop, or after the caller has left, the upstream's connection is closed at the latest."""

TRIES = 3
"""Of so many tries the best counts: the machine may have other things to do."""


async def check_leaving(upstream: FakeUpstream, ask: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    """Check that the model server is left in time when a caller, who asked with this text, leaves before the end."""
    took = []
    for _ in range(TRIES):
        text = marked()
        asking = asyncio.create_task(ask(text))
        request = await asked(upstream, text)
        left = asyncio.get_running_loop().time()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        took.append(await closed(upstream, request) - left)
        if took[-1] < CLOSED_S:
            break
    assert min(took) < CLOSED_S, took
