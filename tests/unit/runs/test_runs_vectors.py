import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from fakes.engines import Upstream, Works, turns
from headrace.core.errors import Overloaded, ProviderError
from headrace.core.vectors import Vectors
from headrace.runs.vectors import Embedder


class Maker(Upstream):
    """A provider that makes vectors once `ready` is set, or raises `error`."""

    def __init__(self, slots: int | None = None, tokens: int | None = 3) -> None:
        super().__init__(slots=slots)
        self.ready = asyncio.Event()
        self.error: Exception | None = None
        self.tokens = tokens

    async def embed(
        self, model: str, texts: Sequence[str], *, dimensions: int | None, more: Mapping[str, Any]
    ) -> Vectors:
        del model, dimensions, more
        self.open += 1
        try:
            await self.ready.wait()
            if self.error is not None:
                raise self.error
            return Vectors(values=tuple([1.0] for _ in texts), input_tokens=self.tokens)
        finally:
            self.open -= 1


class Making:
    """An embedder with what stands around it; `spent` is what was counted."""

    def __init__(self, maker: Upstream, *, timeout_s: float = 10.0, **limits: Any) -> None:
        self.works = Works(**limits)
        self.maker = maker
        self.spent: list[tuple[int, int]] = []
        self.embedder = Embedder(
            self.works.engine,
            self.works.admission,
            timeout_s=timeout_s,
            spent=lambda owner, tokens: self.spent.append((owner, tokens)),
        )

    async def embed(self, owner: int = 1) -> Vectors:
        return await self.embedder.embed(owner, self.maker, "m", ["a", "b"], dimensions=None, more={})


async def cancelled(*tasks: "asyncio.Task[Vectors]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_vectors_come_and_their_tokens_are_counted() -> None:
    making = Making(maker := Maker())
    maker.ready.set()
    assert (await making.embed(owner=7)).values == ([1.0], [1.0])
    assert making.spent == [(7, 3)]


async def test_what_nobody_counted_is_nothing() -> None:
    making = Making(maker := Maker(tokens=None))
    maker.ready.set()
    await making.embed()
    assert making.spent == [(1, 0)]


async def test_they_count_as_runs_until_they_are_made_or_called_off() -> None:
    making = Making(maker := Maker(), max=2)
    going = [asyncio.create_task(making.embed()) for _ in range(2)]
    await turns()
    with pytest.raises(Overloaded):
        await making.embed()
    with pytest.raises(Overloaded), making.works.engine.admit(1):
        pass
    await cancelled(going[0])
    with making.works.engine.admit(1):
        pass
    maker.ready.set()
    await going[1]
    with making.works.engine.admit(1), making.works.engine.admit(1):
        pass


async def test_they_wait_for_a_slot_and_whoever_leaves_the_queue_asks_nothing() -> None:
    making = Making(maker := Maker(slots=1))
    first, second, third = (asyncio.create_task(making.embed()) for _ in range(3))
    await turns()
    assert (maker.open, making.works.admission.waiting()) == (1, 2)
    await cancelled(second)
    await cancelled(first)
    await turns()
    assert (maker.open, making.works.admission.waiting()) == (1, 0)
    maker.ready.set()
    await third


async def test_a_model_that_makes_none_in_time_is_given_up() -> None:
    making = Making(maker := Maker(slots=1), timeout_s=0.01)
    with pytest.raises(ProviderError, match=r"runs\.first_token_timeout_s") as raised:
        await making.embed()
    assert (raised.value.code, maker.open, making.spent) == ("upstream_silent", 0, [])
    maker.ready.set()
    await making.embed()


async def test_the_time_in_the_queue_does_not_count() -> None:
    making = Making(maker := Maker(slots=1), timeout_s=0.2)
    maker.ready.set()
    lease = await making.works.admission.admit("box", slots=1, owner=1, on_place=lambda _place: None)
    waiting = asyncio.create_task(making.embed())
    ended, _ = await asyncio.wait({waiting}, timeout=0.25)
    assert not ended
    lease.release()
    await waiting


@pytest.mark.parametrize("error", [ProviderError("no", code="bad_key"), TimeoutError("its own")])
async def test_what_it_raises_is_raised_and_the_room_is_given_back(error: Exception) -> None:
    making = Making(maker := Maker(slots=1), max=1)
    maker.error = error
    maker.ready.set()
    for _ in range(2):
        with pytest.raises(type(error)) as raised:
            await making.embed()
        assert raised.value is error


async def test_who_makes_none_is_not_asked() -> None:
    with pytest.raises(TypeError):
        await Making(Upstream()).embed()
