import asyncio

import pytest

from headrace.core.unbroken import unbroken


async def test_what_need_not_wait_is_done_before_anything_else_runs() -> None:
    seen: list[str] = []

    async def work() -> int:
        seen.append("work")
        return 17

    asyncio.get_running_loop().call_soon(seen.append, "other")
    assert await unbroken(work()) == 17
    assert seen == ["work"]


async def test_what_waits_goes_on_and_returns() -> None:
    first: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> int:
        await asyncio.sleep(0)
        await asyncio.sleep(0.001)
        return await first + 1

    asyncio.get_running_loop().call_soon(first.set_result, 1)
    assert await unbroken(work()) == 2


async def test_it_goes_on_where_the_caller_is_cancelled() -> None:
    gate, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await gate.wait()
        await asyncio.sleep(0)
        done.set()

    caller = asyncio.ensure_future(unbroken(work()))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.set()
    async with asyncio.timeout(5):
        await done.wait()


@pytest.mark.parametrize("waits", [False, True])
async def test_what_it_raises_is_raised(*, waits: bool) -> None:
    async def work() -> None:
        if waits:
            await asyncio.sleep(0)
        raise KeyError("missing")

    with pytest.raises(KeyError, match="missing"):
        await unbroken(work())


@pytest.mark.parametrize("goes_on", [False, True])
async def test_it_may_go_on_after_what_it_waited_for_has_failed(*, goes_on: bool) -> None:
    first: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await first
        except ValueError:
            if goes_on:
                await asyncio.sleep(0)
        return "done"

    asyncio.get_running_loop().call_soon(first.set_exception, ValueError("no"))
    assert await unbroken(work()) == "done"


async def test_a_loop_that_ends_ends_it_too() -> None:
    begun: list[str] = []

    async def work() -> None:
        begun.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            begun.append("cancelled")
            await asyncio.sleep(0)
            begun.append("ended")
            raise

    caller = asyncio.ensure_future(unbroken(work()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # its task has begun
    tasks = asyncio.all_tasks() - {asyncio.current_task(), caller}
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert begun == ["begun", "cancelled", "ended"]
    with pytest.raises(asyncio.CancelledError):
        await caller
