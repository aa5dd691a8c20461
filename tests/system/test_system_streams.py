import asyncio
from pathlib import Path

import pytest

from headrace.doors import follow, streams
from system.calls import STREAM, Caller, error_of
from system.inprocess import serving
from system.running import config
from system.wire import TERMINAL, Frame, Wire, frames_of, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCENIC = "".join(f"{number} Zürich \U0001f686 日本語\u2029 \u0085\r\n\n" for number in range(120))


def check_log(frames: list[Frame], *, start: int = 0) -> None:
    assert [frame.id for frame in frames] == list(range(start, start + len(frames)))
    assert [frame.event in TERMINAL for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert [frame.data["t"] for frame in frames] == sorted(frame.data["t"] for frame in frames)
    if start == 0:
        assert frames[0].event == "run.started"


def loop_time() -> float:
    return asyncio.get_running_loop().time()


# The reply to a turn


async def test_a_turn_is_answered_with_its_stream_where_that_is_accepted(caller: Caller) -> None:
    chat = await caller.chat()
    async with await caller.stream(chat, model="box/text") as wire:
        frames = await wire.frames()

    check_log(frames)
    assert wire.status == 200
    assert text_of(frames) == "0 1 2 3 4 "
    started = frames[0].data
    assert started["run_id"] == wire.headers["headrace-run"]
    assert (started["chat_id"], started["model_requested"], started["model"]) == (chat, "box/text", "box/text")
    assert (await caller.message(started["assistant_message_id"]))["runs"] == [started["run_id"]]
    assert frames[-1].data["reason"] == "stop"


async def test_a_turn_is_otherwise_answered_with_where_its_events_are(caller: Caller) -> None:
    chat = await caller.chat()

    reply = await caller.http.post(f"/chats/{chat}/turns", json={"content": "Hi", "model": "box/text"})

    body = reply.json()
    assert reply.status_code == 202
    assert reply.headers["headrace-run"] == body["run_id"]
    assert body["events"] == f"/api/v1/runs/{body['run_id']}/events"
    events = await caller.root(body["events"])
    check_log(frames_of(events.content))


@pytest.mark.parametrize("act", ["regenerate", "continue"])
async def test_other_ways_to_start_a_run_stream_as_well(caller: Caller, act: str) -> None:
    turn = await caller.turn(await caller.chat(), model="script/pause")
    async with await caller.follow(turn.run_id) as reader:
        await reader.until("text")
        await caller.stop(turn.run_id)
    url = f"{caller.url}/api/v1/messages/{turn.answer}/{act}"

    async with await Wire.open(url, method="POST", headers=STREAM, json_body={"model": "script/scenic"}) as wire:
        frames = await wire.frames()

    check_log(frames)
    assert wire.headers["headrace-run"] == frames[0].data["run_id"] != turn.run_id


@pytest.mark.parametrize("way", ["turn", "events", "replay"])
async def test_streams_have_the_headers_that_keep_proxies_out_of_the_way(caller: Caller, way: str) -> None:
    if way == "turn":
        wire = await caller.stream(await caller.chat(), model="box/text")
    else:
        turn = await caller.turn(await caller.chat(), model="box/text")
        wire = await caller.follow(turn.run_id, "?speed=1000" if way == "replay" else "")
    async with wire:
        await wire.rest()

    assert wire.headers["content-type"].partition(";")[0] == "text/event-stream"
    assert wire.headers["cache-control"] == "no-cache, no-transform"
    assert wire.headers["x-accel-buffering"] == "no"
    assert wire.headers["headrace-run"].startswith("run_")
    assert wire.headers["transfer-encoding"] == "chunked"
    assert not {"content-length", "content-encoding", "server"} & wire.headers.keys()


async def test_nothing_is_compressed_even_where_it_is_asked_for(caller: Caller) -> None:
    chat = await caller.chat()
    async with await caller.stream(chat, headers={"Accept-Encoding": "gzip, br"}, model="script/scenic") as wire:
        assert text_of(await wire.frames()) == SCENIC

    assert "content-encoding" not in wire.headers


async def test_the_head_does_not_wait_for_the_model(caller: Caller) -> None:
    chat = await caller.chat()
    async with await caller.stream(chat, model="script/hang") as wire:
        assert wire.status == 200
        assert (await wire.until("run.started")).id == 0

        await caller.stop(wire.headers["headrace-run"])


async def test_each_event_is_sent_as_soon_as_it_is_made(caller: Caller) -> None:
    chat = await caller.chat()
    async with await caller.stream(chat, model="script/pause") as wire:
        assert (await wire.until("text")).data["delta"] == "one "
        assert (await wire.until("text")).data["delta"] == "two "

        await caller.stop(wire.headers["headrace-run"])


async def test_every_phase_is_an_event_and_thoughts_are_not_text(caller: Caller) -> None:
    chat = await caller.chat()
    async with await caller.stream(chat, model="script/phases") as wire:
        frames = await wire.frames()

    check_log(frames)
    assert [frame.event for frame in frames] == [
        "run.started",
        "model.loading",
        "model.loading",
        "model.ready",
        "prompt.progress",
        "reasoning",
        "text",
        "usage",
        "run.finished",
    ]
    assert (frames[2].data["progress"], frames[2].data["model"]) == (0.5, "script/phases")
    assert (frames[4].data["read"], frames[4].data["total"]) == (5, 10)
    assert (frames[7].data["output_tokens"], frames[7].data["reasoning_tokens"]) == (2, 1)
    assert frames[7].data["timings"]["loading_ms"] is not None
    assert frames[8].data["reason"] == "length"
    message = await caller.message(frames[0].data["assistant_message_id"])
    assert message["parts"] == [{"type": "reasoning", "text": "thinking"}, {"type": "text", "text": "answer"}]


async def test_a_connection_serves_requests_after_a_stream(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="box/text")
    for _ in range(3):
        reply = await caller.http.get(f"/runs/{turn.run_id}/events")
        check_log(frames_of(reply.content))

        assert (await caller.http.get("/chats/1")).status_code == 200


# Where a reader begins


async def test_a_reader_begins_after_the_number_it_names(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/scenic")
    whole = await caller.frames(turn.run_id)

    for after in (-1, 0, 1, 60, len(whole) - 2):
        assert await caller.frames(turn.run_id, f"?after={after}") == whole[after + 1 :]
        if after >= 0:
            assert await caller.frames(turn.run_id, last=after) == whole[after + 1 :]


async def test_last_event_id_beats_after(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/scenic")

    frames = await caller.frames(turn.run_id, "?after=3", last=70)

    assert frames[0].id == 71


async def test_an_empty_last_event_id_is_none(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/scenic")

    assert (await caller.frames(turn.run_id, "?after=3", last=""))[0].id == 4


async def test_after_the_terminal_event_there_is_no_content(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/scenic")
    end = (await caller.frames(turn.run_id))[-1].id

    for after in (end, end + 1, 10**15, 10**30):
        reply = await caller.http.get(f"/runs/{turn.run_id}/events?after={after}")
        assert (reply.status_code, reply.content) == (204, b""), after
    reply = await caller.http.get(f"/runs/{turn.run_id}/events", headers={"Last-Event-ID": str(end)})
    assert reply.status_code == 204


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "0x10", "\u0663", "9" * 40, "1, 2"])
async def test_a_last_event_id_that_is_no_number_is_refused(caller: Caller, last: str) -> None:
    turn = await caller.answered(await caller.chat(), model="script/scenic")

    headers = {"Last-Event-ID": last.encode()}
    reply = await caller.http.get(f"/runs/{turn.run_id}/events", headers=headers)  # type: ignore[arg-type] # httpx takes bytes

    assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, "Last-Event-ID")


@pytest.mark.parametrize("query", ["after=-2", "after=x", "after=1.5", "speed=-1", "speed=x", "speed=nan", "speed=inf"])
async def test_a_position_or_speed_that_cannot_be_is_refused(caller: Caller, query: str) -> None:
    turn = await caller.answered(await caller.chat(), model="script/scenic")

    reply = await caller.http.get(f"/runs/{turn.run_id}/events?{query}")

    assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, query.partition("=")[0])


async def test_a_reader_may_wait_at_a_place_that_the_run_has_not_reached(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), model="script/steady")

    async with await caller.follow(turn.run_id, "?after=40") as reader:
        frames = await reader.frames()

    check_log(frames, start=41)


async def test_fifty_readers_from_different_places_get_the_same_run(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), model="script/live-scenic")

    async def read(after: int) -> list[Frame]:
        async with await caller.follow(turn.run_id, f"?after={after}") as reader:
            return await reader.frames()

    places = [number * 5 - 1 for number in range(50)]
    all_read = await asyncio.gather(*map(read, places))

    whole = await caller.frames(turn.run_id)
    check_log(whole)
    for place, frames in zip(places, all_read, strict=True):
        assert frames == whole[place + 1 :]


async def test_a_reader_that_leaves_does_not_stop_the_run(caller: Caller) -> None:
    chat = await caller.chat()
    wire = await caller.stream(chat, model="script/steady")
    await wire.until("text")
    wire.reset()
    run_id = wire.headers["headrace-run"]

    frames = await caller.frames(run_id)

    check_log(frames)
    assert frames[-1].event == "run.finished"
    assert text_of(frames) == "".join(f"{number} " for number in range(60))


# Replay


async def test_a_replay_has_the_timing_that_the_run_had(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/rhythm")
    whole = await caller.frames(turn.run_id)
    came: list[tuple[float, int]] = []
    begin = loop_time() * 1000

    async with await caller.follow(turn.run_id, "?speed=1") as reader:
        while (frame := await reader.frame()) is not None:
            came.append((loop_time() * 1000, frame.data["t"]))

    assert frames_of(reader.body) == whole
    assert came[-1][1] >= 380
    # nothing comes early, but for the clocks' own grain
    assert all(at - begin >= t - 5 for at, t in came)
    assert came[-1][0] - begin < 2 * came[-1][1]


async def test_a_replay_is_as_many_times_faster_as_it_is_asked_to_be(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/rhythm")
    whole = await caller.frames(turn.run_id)
    begin = loop_time()

    assert await caller.frames(turn.run_id, "?speed=4") == whole

    took_ms, total_ms = (loop_time() - begin) * 1000, whole[-1].data["t"]
    assert total_ms / 4 - 5 <= took_ms < total_ms


async def test_a_replay_from_a_place_starts_its_clock_there(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/rhythm")
    whole = await caller.frames(turn.run_id)
    third = next(frame for frame in whole if frame.data.get("delta") == "c ")
    begin = loop_time()

    frames = await caller.frames(turn.run_id, f"?speed=1&after={third.id - 1}")

    took_ms = (loop_time() - begin) * 1000
    assert frames == whole[third.id :]
    assert whole[-1].data["t"] - third.data["t"] - 5 <= took_ms < whole[-1].data["t"]


async def test_speed_zero_is_at_once(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/rhythm")
    whole = await caller.frames(turn.run_id)
    begin = loop_time()

    assert await caller.frames(turn.run_id, "?speed=0") == whole

    assert (loop_time() - begin) * 1000 < whole[-1].data["t"] / 2


async def test_a_replay_that_reaches_the_present_follows_the_run(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), model="script/steady")

    frames = await caller.frames(turn.run_id, "?speed=1000")

    check_log(frames)
    assert frames == await caller.frames(turn.run_id)


# Readers that are behind


async def test_a_reader_that_was_behind_gets_merged_text_without_a_gap(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), model="script/tokens-r0-n20000")
    async with await caller.follow(turn.run_id, receive_buffer=4096) as slow:
        whole = await caller.frames(turn.run_id)

        merged = await slow.frames()

    at = 0
    for frame in merged:
        first = frame.data.get("from", frame.id)
        assert first == at
        assert frame.event == "text" or first == frame.id
        at = frame.id + 1
    assert at == len(whole)
    assert any("from" in frame.data for frame in merged), "nothing was merged: was the reader behind at all?"
    assert text_of(merged) == text_of(whole) == "".join(f"{number} " for number in range(20_000))
    assert merged[-1] == whole[-1]


async def test_a_reader_that_keeps_up_gets_nothing_merged(caller: Caller) -> None:
    chat = await caller.chat()
    async with await caller.stream(chat, model="script/live-scenic") as wire:
        frames = await wire.frames()

    check_log(frames)
    assert not any("from" in frame.data for frame in frames)


async def readers(caller: Caller) -> float:
    lines = (await caller.root("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith("headrace_readers ")).split(" ")[1])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PULSE_S", 0.02)
    monkeypatch.setattr(follow, "KEEPALIVE_S", 0.05)
    monkeypatch.setattr(follow, "STALL_S", 0.3)
    monkeypatch.setattr(streams, "STALL_S", 0.3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("query", ["", "?speed=1"])
async def test_a_quiet_stream_is_kept_alive_with_comments(tmp_path: Path, scripts: Path, query: str) -> None:
    async with serving(tmp_path, config(scripts=scripts)) as url, Caller(url) as caller:
        turn = await caller.turn(await caller.chat(), model="script/pause")
        async with await caller.follow(turn.run_id, query) as reader:
            while b": ping" not in reader.body:
                await reader.read()
            first = reader.body.index(b": ping")
            while len(reader.body) < first + 24:
                await reader.read()

            assert b"two " in reader.body[:first]
            assert reader.body[first : first + 24] == b": ping\n\n" * 3


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("query", ["", "?speed=1000"])
async def test_a_reader_that_has_stalled_is_cut_off_and_can_come_back(
    tmp_path: Path, scripts: Path, query: str
) -> None:
    async with serving(tmp_path, config(scripts=scripts)) as url, Caller(url) as caller:
        turn = await caller.answered(await caller.chat(), model="script/tokens-r0-n20000")
        async with await caller.follow(turn.run_id, query, receive_buffer=4096) as stalled:
            await stalled.take(1)
            while await readers(caller):
                pass
            await stalled.cut_off()

        from_where = stalled.body[: stalled.body.rindex(b"\n\n") + 2]
        last = frames_of(from_where)[-1].id
        assert (await caller.frames(turn.run_id, last=last))[-1].event == "run.finished"
