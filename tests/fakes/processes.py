"""This module waits for processes that are not children of the test (Linux)."""

import asyncio
import os

__all__ = ["ended"]


async def ended(pid: int, within_s: float = 5.0) -> None:
    """Return when this process has ended. Raises `TimeoutError`."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        async with asyncio.timeout(within_s):
            await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
