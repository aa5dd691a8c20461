"""The Python client against a real server, also through a proxy that cuts its connections by chance."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from headrace.client import Answer, Client, Unreachable
from headrace.core.errors import BadField, Conflict, NotAvailable, NotFound, ProviderError
from headrace.core.events import Event, RunFinished, RunStarted, Text
from headrace.core.fold import Fold
from headrace.core.messages import text_of
from headrace.formats import native
from system.calls import Caller
from system.readers import Dice
from system.running import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

CUTS = 200
READERS = 20
LONGEST = 6000
"""No connection of the proxy brings more bytes than that while it still cuts."""


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Running) -> AsyncIterator[Client]:
    async with Client(server.url) as client:
        yield client


class CuttingProxy:
    """Passes connections on to the server. As long as `cuts` are left, each breaks after some bytes of the reply.

    Half of them break as those of a machine that goes away would, some before the first byte.
    """

    def __init__(self, server: str, cuts: int, dice: Dice) -> None:
        self.cuts = cuts
        self._target = urlsplit(server)
        self._dice = dice
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._pass(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        asking = asyncio.ensure_future(_copy(reader, back, None))
        try:
            self.cuts -= await _copy(there, writer, self._dice.randint(0, LONGEST) if self.cuts > 0 else None)
            if self._dice.random() < 0.5:
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            asking.cancel()
            writer.close()
            back.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int | None) -> bool:
    """Pass on so many bytes, or all; return whether more would have come."""
    with contextlib.suppress(ConnectionError):
        while count is None or count > 0:
            data = await reader.read(65536 if count is None else count)
            if not data:
                return False
            writer.write(data)
            await writer.drain()
            count = None if count is None else count - len(data)
        return True
    return False


async def numbered(answer: Answer) -> list[tuple[int, Event]]:
    return [(answer.seq, event) async for event in answer]


async def stored(caller: Caller, run_id: str) -> list[tuple[int, Event]]:
    return native.Decoder().feed(await caller.body(run_id))


async def test_an_answer_is_read_as_it_was_stored(client: Client) -> None:
    chat = await client.chats.create(title="Views")
    answer = client.turn(chat.id, "Hello", model="script/scenic")
    text = await answer.text()
    assert text.count("🚆") == 120
    assert answer.end == RunFinished("stop")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 120
    tree = await client.chats.get(chat.id)
    assert [message.role for message in tree.messages] == ["user", "assistant"]
    assert tree.messages[1].parts == answer.parts
    assert tree.messages[1].runs == (answer.run_id,)
    run = await client.runs.get(answer.run_id or "")
    assert (run.status, run.model, run.chat_id) == ("complete", "script/scenic", chat.id)
    assert run in (await client.runs.list(statuses=("complete",))).runs


async def test_two_hundred_cuts_lose_and_repeat_nothing(caller: Caller, server: Running) -> None:
    dice = Dice()
    async with CuttingProxy(server.url, CUTS, dice) as proxy, Client(proxy.url) as cut:
        while proxy.cuts > 0:
            chats = [await caller.chat() for _ in range(READERS)]
            models = ["script/scenic", "script/live-scenic"] * (READERS // 2)
            answers = [cut.turn(chat, "Hi", model=model) for chat, model in zip(chats, models, strict=True)]
            read = await asyncio.gather(*map(numbered, answers))
            for answer, events in zip(answers, read, strict=True):
                assert same(events, await stored(caller, answer.run_id or "")), f"dice {dice.number}"
            # a message whose reply was cut was sent again, and is there once
            for chat in chats:
                tree = await caller.get(f"/chats/{chat}")
                assert [message["role"] for message in tree["messages"]] == ["user", "assistant"]


def same(read: list[tuple[int, Event]], whole: list[tuple[int, Event]]) -> bool:
    """Return whether these are the same events; texts that a slow reader got merged count as what they hold."""
    return _unmerged(read) == _unmerged(whole) and read[-1] == whole[-1] and read[0][0] == 0


def _unmerged(events: list[tuple[int, Event]]) -> tuple[object, ...]:
    fold, last = Fold(), -1
    for seq, event in events:
        assert seq == last + 1 or (seq > last and isinstance(event, Text)), f"{seq} after {last}"
        fold.feed(event, seq - last)
        last = seq
    return last, fold.parts, fold.usage, fold.terminal, [event for _, event in events if not isinstance(event, Text)]


async def test_a_run_is_followed_by_others_and_from_any_event(client: Client) -> None:
    chat = await client.chats.create()
    answer = client.turn(chat.id, "Hi", model="script/steady")
    run_id = await answer.started()
    whole, others = await asyncio.gather(numbered(answer), numbered(client.follow(run_id)))
    assert others == whole
    assert isinstance(whole[0][1], RunStarted)
    assert await numbered(client.follow(run_id, after=10)) == whole[11:]
    assert await numbered(client.follow(run_id, after=whole[-1][0])) == []


async def test_a_message_in_the_making_goes_on_without_a_gap(client: Client) -> None:
    chat = await client.chats.create()
    answer = client.turn(chat.id, "Hi", model="script/steady")
    async for event in answer:
        if isinstance(event, Text):
            break
    message = (await client.chats.get(chat.id)).messages[-1]
    rest = client.follow(message.runs[-1], after=-1 if message.seq is None else message.seq)
    assert text_of(message.parts) + await rest.text() == await answer.text()


async def test_stop_ends_a_run_and_keeps_what_was_made(client: Client) -> None:
    chat = await client.chats.create()
    answer = client.turn(chat.id, "Hi", model="script/pause")
    async for event in answer:
        if event == Text("two "):
            break
    assert await answer.stop() == "stopped"
    assert await answer.text() == "one two "
    assert answer.status == "stopped"
    assert await answer.stop() == await client.runs.stop(answer.run_id or "") == "stopped"
    assert (await client.chats.get(chat.id)).messages[-1].status == "stopped"


async def test_leaving_an_answer_leaves_its_run(client: Client, caller: Caller) -> None:
    chat = await client.chats.create()
    async with client.turn(chat.id, "Hi", model="script/steady") as answer:
        await anext(answer)
    assert answer.run_id is not None
    with pytest.raises(Unreachable):
        await answer.text()
    assert (await stored(caller, answer.run_id))[-1][1] == RunFinished("stop")


async def test_refusals_are_errors_with_the_servers_words(client: Client) -> None:
    chat = await client.chats.create()
    with pytest.raises(NotFound, match=r".+") as missing:
        await client.turn(10**9, "Hi").text()
    assert missing.value.code == "not_found"
    with pytest.raises(BadField) as field:
        await client.turn(chat.id, "Hi", parameters={"top_p": 7}).text()
    assert field.value.field == "parameters.top_p"
    with pytest.raises(NotAvailable, match="no documents yet"):
        await client.turn(chat.id, "Hi", document_ids=[1]).text()
    with pytest.raises(NotFound):
        await client.follow("run_nobody_has").text()


async def test_a_busy_chat_names_the_run_that_keeps_it(client: Client) -> None:
    chat = await client.chats.create()
    async with client.turn(chat.id, "Hi", model="script/hang") as answer:
        with pytest.raises(Conflict) as busy:
            await client.turn(chat.id, "And?", model="script/steady").started()
        assert (busy.value.code, busy.value.details["run_id"]) == ("chat_busy", answer.run_id)
        await answer.stop()


async def test_a_run_that_fails_has_the_models_error(client: Client) -> None:
    chat = await client.chats.create()
    with pytest.raises(ProviderError, match="too long by half") as failed:
        await client.turn(chat.id, "Hi", model="script/refuses").text()
    assert (failed.value.code, failed.value.retryable) == ("context_too_long", False)


async def test_models_are_those_of_the_server(client: Client) -> None:
    steady = await client.models.get("script/steady")
    assert steady is not None
    assert steady.state == "up"
