"""What holds at the doors of all five contracts."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, closed, marked, streaming, text_in
from system.contracts import CHATS, DOORS, Contract, error_fields, parsed, said_in, until_said
from system.leaving import CLOSED_S, TRIES
from system.people import first_admin
from system.running import Running, config
from system.wire import Wire, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOT_THERE = 999_999
SCRIPTS = "Zürich Ελλάδα Привет 日本語 \U0001f686 \u2028\u0085 end"

ALL = pytest.mark.parametrize("name", DOORS)
OF_CHATS = pytest.mark.parametrize("name", CHATS)
WITH_SIBLING = pytest.mark.parametrize("name", [name for name, door in DOORS.items() if door.whole is not None])


def loop_time() -> float:
    return asyncio.get_running_loop().time()


async def check_end(caller: Caller, run_id: str, event: str, **fields: Any) -> str:
    """Check how a run ended, in its log and in its row, and return its text."""
    frames = await caller.frames(run_id)
    assert (frames[-1].event, frames[-1].data | fields) == (event, frames[-1].data)
    run = await caller.get(f"/runs/{run_id}")
    assert run["status"] == {"run.finished": "complete"}.get(event, event.removeprefix("run."))
    if run["assistant_message_id"] is not None:
        assert text_in(await caller.message(run["assistant_message_id"])) == text_of(frames)
    return text_of(frames)


# The answer


@ALL
async def test_an_answer_is_streamed_token_by_token(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    begin = loop_time()

    async with await door.open(caller, chat, "Hello", model="box/text") as wire:
        took = loop_time() - begin
        events = said_in(await wire.rest())

    run_id = wire.headers["headrace-run"]
    assert (wire.status, wire.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    assert (wire.headers["cache-control"], wire.headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")
    assert "content-encoding" not in wire.headers
    assert took < 1
    assert [door.piece(event) for event in events if door.piece(event)] == ["0 ", "1 ", "2 ", "3 ", "4 "]
    closing = door.closing(events[-1])
    assert (closing["run_id"], closing["finish_reason"]) == (run_id, "stop")
    assert next(event["run_id"] for event in events if "run_id" in event) == run_id
    assert (closing["usage"]["output_tokens"], closing["usage"]["estimated"]) == (5, False)
    assert "stopped" not in closing
    assert door.text is None or closing[door.text] == "0 1 2 3 4 "
    assert await check_end(caller, run_id, "run.finished") == "0 1 2 3 4 "


@WITH_SIBLING
async def test_the_sibling_answers_what_the_stream_ends_with(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()

    reply = await door.ask(caller, chat, "Hello", model="box/text")

    closing, text = door.whole_of(reply)
    assert (reply.status_code, reply.headers["content-type"], text) == (200, "application/json", "0 1 2 3 4 ")
    assert closing["run_id"] == reply.headers["headrace-run"]
    assert door.closing(closing)["finish_reason"] == "stop"
    assert await check_end(caller, closing["run_id"], "run.finished") == text


@ALL
async def test_four_scripts_and_emoji_arrive_as_they_were_sent(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    content = marked(SCRIPTS)

    events = await door.said(caller, chat, content, model="box/echo")

    assert door.pieces(events) == content
    assert door.text is None or events[-1][door.text] == content
    if door.whole is not None:
        assert door.whole_of(await door.ask(caller, chat, content, model="box/echo"))[1] == content


@ALL
async def test_each_read_can_be_parsed_alone(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    read: list[dict[str, Any]] = []
    async with await door.open(caller, chat, "Hello", model="script/live-scenic") as wire:
        while not wire.ended:
            read += parsed(await wire.read())

    assert read == said_in(wire.body)
    assert door.pieces(read).count("日本語") == 250


@ALL
async def test_thoughts_are_kept_apart_from_the_answer(caller: Caller, name: str) -> None:
    door = DOORS[name]

    events = await door.said(caller, await caller.chat(), "Hello", model="box/think")

    thoughts = [event["content"] for event in events if event.get("type") in {"thought", "reasoning"}]
    assert ("".join(thoughts), door.pieces(events)) == ("let me see" if door.thoughts else "", "the answer")
    assert {event.get("type") for event in events} & {"thought", "reasoning"} == {door.thoughts} - {None}


@OF_CHATS
async def test_a_turn_is_told_what_was_said_before(caller: Caller, upstream: FakeUpstream, name: str) -> None:
    door, chat, words = DOORS[name], await caller.chat(), [marked("one"), marked("two")]

    for content in words:
        await door.said(caller, chat, content, model="box/echo")

    told = (await asked(upstream, words[1])).body["messages"]
    assert [each["content"] for each in told if each["role"] != "system"] == [words[0], words[0], words[1]]


@OF_CHATS
async def test_a_turn_on_a_chat_that_is_busy_hangs_on_the_last_finished_message(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    before = await caller.answered(chat, model="box/text")
    async with await door.open(caller, chat, "first", model="box/silent-after-1") as wire:
        await until_said(wire, "0 ", door)

        events = await door.said(caller, chat, "second", model="box/echo")

        assert door.pieces(events) == "second"
    messages = (await caller.get(f"/chats/{chat}"))["messages"]
    asked_by_text = {text_in(message): message for message in messages if message["role"] == "user"}
    assert asked_by_text["first"]["parent_id"] == before.answer
    assert asked_by_text["second"]["parent_id"] == asked_by_text["first"]["id"]


# Refusals


@OF_CHATS
async def test_a_chat_that_is_not_there_is_refused(caller: Caller, name: str) -> None:
    door = DOORS[name]
    for whole in (False, True) if door.whole else (False,):
        path = caller.url + door.path(NOT_THERE, whole=whole)

        reply = await caller.http.post(path, json=door.body(NOT_THERE, "Hello"))

        assert (reply.status_code, error_fields(door, reply.json())[0]) == (404, "not_found")
        assert "headrace-run" not in reply.headers


@ALL
async def test_a_body_that_cannot_be_is_refused(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    good = door.body(chat, "Hello")
    path = caller.url + door.path(chat)
    bad: list[dict[str, Any]] = [{**good, door.message: value} for value in ("", 5, None, "x" * 1_000_001)]
    bad += [{name: value for name, value in good.items() if name != field} for field in good if field != "session_id"]
    bad += [{**good, "model": ""}, *([{**good, door.chat: "x"}, {**good, door.chat: 0}] if door.chat else [])]
    for body in bad:
        reply = await caller.http.post(path, json=body)

        assert (reply.status_code, error_fields(door, reply.json())[0]) == (422, "invalid_field"), body
    assert (await caller.get(f"/chats/{chat}"))["messages"] == []


@ALL
async def test_what_is_no_json_or_too_much_is_refused(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    path, said = caller.url + door.path(chat), {"Content-Type": "application/json"}

    for content, headers in ((b"{", said), (b'{"a": "\xff"}', said), (b"{}", {"Content-Type": "text/plain"})):
        reply = await caller.http.post(path, content=content, headers=headers)
        assert (reply.status_code, error_fields(door, reply.json())[0]) == (400, "malformed")
    too_long = {"Content-Length": str(1 << 40), **said}
    async with await Wire.open(path, method="POST", headers=too_long) as wire:
        await wire.rest()
        assert (wire.status, error_fields(door, wire.json())[0]) == (413, "too_large")
    reply = await caller.http.request("DELETE", path)
    assert (reply.status_code, error_fields(door, reply.json())[0]) == (405, "method_not_allowed")


@ALL
async def test_fields_that_are_not_known_are_ignored(caller: Caller, name: str) -> None:
    door = DOORS[name]

    events = await door.said(caller, await caller.chat(), "Hello", model="box/text", extra={"any": "thing"})

    assert door.pieces(events) == "0 1 2 3 4 "


# Failures


@ALL
@pytest.mark.parametrize(
    ("model", "status", "code"),
    [("box/status-503", 503, "overloaded"), ("nowhere/at-all", 404, "unknown_model"), ("box/reset-after-0", 502, "")],
)
async def test_a_failure_before_the_first_byte_has_its_status(
    caller: Caller, name: str, model: str, status: int, code: str
) -> None:
    door, chat = DOORS[name], await caller.chat()
    async with await door.open(caller, chat, "Hello", model=model) as wire:
        await wire.rest()
    replies = [(wire.status, wire.headers, wire.body)]
    if door.whole is not None:
        reply = await door.ask(caller, chat, "Hello", model=model)
        replies.append((reply.status_code, dict(reply.headers), reply.content))

    for got, headers, body in replies:
        if got == 200:  # the machine was slow: it was known after 40 ms only
            event = said_in(body)[-1]
        else:
            assert (got, headers["content-type"]) == (status, "application/json")
            event = httpx.Response(got, content=body).json()
        assert error_fields(door, event)[0].startswith(code)
        assert event["run_id"] == headers["headrace-run"]
        assert got != 503 or int(headers["retry-after"]) > 0
    assert replies[-1][0] == status or door.whole is None


@ALL
async def test_a_failure_after_the_first_byte_is_the_last_event(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    async with await door.open(caller, chat, "Hello", model="script/breaks") as wire:
        events = said_in(await wire.rest())

    assert door.pieces(events) == "one two "
    assert error_fields(door, events[-1]) == ("upstream_closed", "The model went away.")
    assert (events[-1]["retryable"], events[-1]["run_id"]) == (True, wire.headers["headrace-run"])
    assert await check_end(caller, events[-1]["run_id"], "run.failed", code="upstream_closed") == "one two "
    if door.whole is not None:
        reply = await door.ask(caller, chat, "Hello", model="script/breaks")
        assert (reply.status_code, error_fields(door, reply.json())[0]) == (502, "upstream_closed")


# Stop and leaving


@ALL
async def test_an_answer_that_is_stopped_closes_as_stopped(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    async with await door.open(caller, chat, "Hello", model="box/silent-after-2") as wire:
        await until_said(wire, "1 ", door)

        assert await caller.stop(wire.headers["headrace-run"]) == "stopped"

        closing = door.closing(said_in(await wire.rest())[-1])
    assert (closing["stopped"], closing["finish_reason"]) == (True, None)
    assert door.text is None or closing[door.text] == "0 1 "


@WITH_SIBLING
async def test_a_sibling_whose_run_is_stopped_answers_what_was_made(
    caller: Caller, upstream: FakeUpstream, name: str
) -> None:
    door, content = DOORS[name], marked()
    asking = asyncio.ensure_future(door.ask(caller, await caller.chat(), content, model="box/silent-after-2"))
    request = await asked(upstream, content)
    await upstream.until(lambda: request.sent == 2)
    run_id = await streaming(caller, request.model)

    await caller.stop(run_id)

    closing, text = door.whole_of(await asking)
    assert (closing["run_id"], closing["stopped"], text) == (run_id, True, "0 1 ")


@ALL
@pytest.mark.parametrize("model", ["box/silent", "box/silent-after-3", "box/text-r100-n5000"])
async def test_a_caller_who_leaves_stops_the_answer(
    caller: Caller, upstream: FakeUpstream, name: str, model: str
) -> None:
    door, took = DOORS[name], []
    for _ in range(TRIES):
        content = marked()
        wire = await door.open(caller, await caller.chat(), content, model=model)
        request = await asked(upstream, content)
        if model != "box/silent":
            await until_said(wire, "2 ", door)
        begin = loop_time()

        wire.close()

        took.append(await closed(upstream, request) - begin)
        text = await check_end(caller, wire.headers["headrace-run"], "run.stopped", by="disconnect")
        assert text.startswith("" if model == "box/silent" else "0 1 2 ")
    assert min(took) < CLOSED_S


@WITH_SIBLING
@pytest.mark.parametrize("model", ["box/silent", "box/silent-after-3"])
async def test_a_caller_who_leaves_the_sibling_stops_the_answer(
    caller: Caller, upstream: FakeUpstream, name: str, model: str
) -> None:
    door, took = DOORS[name], []
    for _ in range(TRIES):
        content, chat = marked(), await caller.chat()
        leaving = asyncio.ensure_future(door.ask(caller, chat, content, model=model))
        request = await asked(upstream, content)
        begin = loop_time()

        leaving.cancel()

        took.append(await closed(upstream, request) - begin)
    assert min(took) < CLOSED_S


@ALL
async def test_a_caller_may_leave_a_detached_answer(caller: Caller, name: str) -> None:
    door = DOORS[name]
    wire = await door.open(caller, await caller.chat(), "Hello", {"Headrace-Detach": "true"}, model="box/text-r100-n40")

    wire.close()

    assert len((await check_end(caller, wire.headers["headrace-run"], "run.finished")).split()) == 40


@ALL
async def test_an_answer_that_somebody_else_reads_goes_on_without_the_caller(caller: Caller, name: str) -> None:
    door = DOORS[name]
    wire = await door.open(caller, await caller.chat(), "Hello", model="box/text-r100-n40")
    async with await caller.follow(wire.headers["headrace-run"]) as reader:
        await reader.until("text")

        wire.close()

        assert (await reader.frames())[-1].event == "run.finished"


# Who may


async def test_refusals_before_every_door_are_in_its_own_words(tmp_path: Path, upstream: FakeUpstream) -> None:
    settings = config(
        box=upstream.base_url,
        server={"access": True, "drain_s": 0},
        models={"discovery": False, "default": "box/text"},
    )
    async with Running(tmp_path, settings) as server, Caller(server.url) as stranger:
        ada = await first_admin(server)
        stranger.http.headers["Origin"] = server.url
        for door in DOORS.values():
            path, body = server.url + door.path(1), door.body(1, "Hello")

            for headers in ({}, {"Authorization": "Bearer hr_unknown"}):
                reply = await stranger.http.post(path, json=body, headers=headers)
                assert (reply.status_code, error_fields(door, reply.json())[0]) == (401, "unauthorized")
            reply = await stranger.http.post(path, json=body, headers={"Origin": "https://elsewhere.example"})
            assert (reply.status_code, error_fields(door, reply.json())[0]) == (403, "origin_not_allowed")
            _, token = await ada.make_token(scopes=["models"])
            reply = await stranger.http.post(path, json=body, headers={"Authorization": f"Bearer {token}"})
            assert (reply.status_code, error_fields(door, reply.json())[0]) == (403, "forbidden")

            reply = await stranger.http.post(path, json=body, headers=ada.bearer)
            assert door.pieces(said_in(reply.content)) == "0 1 2 3 4 "


async def test_limits_refuse_in_the_words_of_the_door(tmp_path: Path, upstream: FakeUpstream) -> None:
    settings = config(box=upstream.base_url, limits={"streams": 1})
    async with (
        Running(tmp_path, settings) as server,
        Caller(server.url) as caller,
        await DOORS["relay.generate"].open(caller, 1, "Hello", model="box/silent"),
    ):
        for door in DOORS.values():
            before = (await caller.get("/chats"))["chats"]
            body: dict[str, Any] = door.body(1, "Hello")
            if door.name == "relay.chat":
                del body["session_id"]

            reply = await caller.http.post(server.url + door.path(1), json=body)

            assert (reply.status_code, error_fields(door, reply.json())[0]) == (429, "rate_limited")
            assert int(reply.headers["retry-after"]) > 0
            assert (await caller.get("/chats"))["chats"] == before, "a refusal leaves no chat behind"


async def test_every_contract_has_its_doors() -> None:
    assert {door.format for door in DOORS.values()} == {"relay", "multimodel", "tutor", "documents", "studio"}
    assert all(isinstance(door, Contract) for door in DOORS.values())
