import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fakes.hub import FakeHub
from fakes.raw import Peer, RawServer, reply_once
from headrace.core.errors import NotFound
from headrace.net import download as module
from headrace.net.client import Client
from headrace.net.download import Downloaded, Patience, Source, download
from headrace.net.origin import parse
from headrace.net.part import DownloadFailed

DATA = b"GGUF" + hashlib.shake_128(b"a model").digest(700_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
HASTY = Patience(tries=3, first_delay_s=0.001, silence_s=10)


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with FakeHub() as hub:
        hub.add("o/r", "m.gguf", DATA)
        yield hub


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "m.gguf"


def source(hub: FakeHub, *, sha256: str | None = None, magic: bytes = b"GGUF") -> Source:
    return Source(url=f"{hub.url}/o/r/resolve/main/m.gguf", hub=parse(hub.url).origin, sha256=sha256, magic=magic)


async def fetch(what: Source, target: Path, *, patience: Patience = HASTY) -> tuple[Downloaded, list[int]]:
    """Return the outcome and how many bytes were here each time the progress was told."""
    client, told = Client(), [0]
    try:
        done = await download(client, what, target, progress=lambda here, _: told.append(here), patience=patience)
    finally:
        await client.close()
    return done, told


async def failure(what: Source, target: Path, *, patience: Patience = HASTY) -> DownloadFailed:
    with pytest.raises(DownloadFailed) as caught:
        await fetch(what, target, patience=patience)
    assert target.name not in leftovers(target)
    return caught.value


def content(path: Path) -> bytes:
    return path.read_bytes()


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def ranges(hub: FakeHub) -> list[str | None]:
    """Return what each request to where the bytes are asked for."""
    return [one.headers.get("range") for one in hub.asked("store" if hub.redirects else "hub")]


async def test_a_file_is_downloaded_and_compared_with_the_hubs_hash(hub: FakeHub, target: Path) -> None:
    done, told = await fetch(source(hub), target)
    assert done == Downloaded(len(DATA), SHA256, verified=True)
    assert content(target) == DATA
    assert leftovers(target) == ["m.gguf"]
    assert told == sorted(told)
    assert told[-1] == len(DATA)


async def test_a_signed_address_is_called_as_it_is(hub: FakeHub, target: Path) -> None:
    await fetch(source(hub), target)
    assert hub.asked("store")[0].query == "sig=a%2Bb%2Fc%27"


async def test_a_connection_that_breaks_is_made_again_for_the_rest(hub: FakeHub, target: Path) -> None:
    hub.cuts = [100_000, 1, 300_000]
    _, told = await fetch(source(hub), target)
    assert content(target) == DATA
    assert ranges(hub)[0] is None
    assert all(one is not None and one > "bytes=0-" for one in ranges(hub)[1:])
    assert told == sorted(told)


@pytest.mark.parametrize("redirects", [True, False])
async def test_a_download_goes_on_where_the_one_before_it_broke(hub: FakeHub, target: Path, *, redirects: bool) -> None:
    hub.redirects = redirects
    hub.cuts = [200_000, 0, 0, 0]
    await failure(source(hub), target)
    here = (target.parent / "m.gguf.part").stat().st_size
    assert 0 < here <= 200_000
    hub.cuts, hub.requests = [], []
    done, _ = await fetch(source(hub), target)
    assert ranges(hub) == [f"bytes={here}-"]
    assert done.verified
    assert content(target) == DATA


async def test_a_file_that_changed_meanwhile_is_downloaded_from_its_beginning(hub: FakeHub, target: Path) -> None:
    hub.cuts = [200_000, 0, 0, 0]
    await failure(source(hub), target)
    hub.cuts, hub.requests = [], []
    newer = b"GGUF" + DATA[::-1]
    hub.add("o/r", "m.gguf", newer)
    done, _ = await fetch(source(hub), target)
    assert ranges(hub) == [None]
    assert done.sha256 == hashlib.sha256(newer).hexdigest()
    assert content(target) == newer


async def test_a_server_that_ignores_ranges_sends_it_all_again(hub: FakeHub, target: Path) -> None:
    hub.ranges = False
    hub.cuts = [200_000]
    await fetch(source(hub), target)
    assert content(target) == DATA
    assert len(hub.asked("store")) == 2


async def test_without_a_hash_the_etag_says_whether_it_is_the_same_file(hub: FakeHub, target: Path) -> None:
    hub.linked, hub.redirects = False, False
    hub.cuts = [200_000]
    done, _ = await fetch(source(hub), target)
    assert [one.headers.get("if-range") for one in hub.asked("hub")] == [None, f'"{SHA256[:16]}"']
    assert not done.verified
    assert content(target) == DATA

    hub.cuts = [200_000, 0, 0, 0]
    await failure(source(hub), target.with_name("again.gguf"))
    newer = b"GGUF" + DATA[::-1]
    hub.add("o/r", "m.gguf", newer)
    hub.cuts = []
    await fetch(source(hub), target.with_name("again.gguf"))
    assert content(target.with_name("again.gguf")) == newer


async def test_without_hash_and_etag_a_broken_download_begins_again(hub: FakeHub, target: Path) -> None:
    hub.linked = hub.etags = hub.redirects = False
    hub.cuts = [200_000, 0, 0, 0]
    await failure(source(hub), target)
    hub.cuts, hub.requests = [], []
    await fetch(source(hub), target)
    assert ranges(hub) == [None]
    assert content(target) == DATA


async def test_a_part_to_which_only_the_name_is_missing_gets_it(hub: FakeHub, target: Path) -> None:
    hub.cuts = [200_000, 0, 0, 0]
    await failure(source(hub), target)
    part = target.with_name("m.gguf.part")
    part.write_bytes(DATA)
    hub.cuts = []
    done, _ = await fetch(source(hub), target)
    assert ranges(hub)[-1] == f"bytes={len(DATA)}-"
    assert done == Downloaded(len(DATA), SHA256, verified=True)


@pytest.mark.parametrize("linked", [True, False])
async def test_wrong_bytes_are_removed_and_never_get_the_name(hub: FakeHub, target: Path, *, linked: bool) -> None:
    hub.spoil, hub.linked = True, linked
    error = await failure(source(hub, sha256=None if linked else SHA256), target)
    assert error.code == "wrong_hash"
    assert SHA256 in error.message
    assert leftovers(target) == []


async def test_a_damaged_part_is_removed_in_the_end(hub: FakeHub, target: Path) -> None:
    hub.cuts = [200_000, 0, 0, 0]
    await failure(source(hub), target)
    part = target.with_name("m.gguf.part")
    part.write_bytes(b"GGUF" + bytes(part.stat().st_size - 4))
    hub.cuts = []
    assert (await failure(source(hub), target)).code == "wrong_hash"
    assert leftovers(target) == []


async def test_another_file_than_asked_for_is_refused_before_it_is_downloaded(hub: FakeHub, target: Path) -> None:
    error = await failure(source(hub, sha256="0" * 64), target)
    assert error.code == "wrong_hash"
    assert hub.asked("store") == []


async def test_a_store_with_a_file_of_another_size_is_refused(hub: FakeHub, target: Path) -> None:
    async with FakeHub(linked=False, redirects=False) as other:
        other.add("o/r", "m.gguf", DATA[:-5])
        hub.location = f"{other.url}/o/r/resolve/main/m.gguf"
        error = await failure(source(hub), target)
    assert error.code == "wrong_size"


async def test_what_does_not_begin_as_it_should_is_refused_at_once(hub: FakeHub, target: Path) -> None:
    page = b"<!doctype html>" + bytes(100)
    hub.add("o/r", "m.gguf", page)
    error = await failure(source(hub), target)
    assert error.code == "wrong_file"
    assert leftovers(target) == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_server_that_is_busy_is_asked_again(hub: FakeHub, target: Path, status: int) -> None:
    hub.statuses = [status, status]
    await fetch(source(hub), target)
    assert len(hub.asked("store")) == 3


async def test_a_server_that_stays_busy_is_given_up(hub: FakeHub, target: Path) -> None:
    hub.statuses = [503] * 9
    error = await failure(source(hub), target)
    assert "answers 503" in error.message
    assert error.retryable
    assert len(hub.asked("store")) == HASTY.tries


async def test_a_server_that_breaks_and_changes_its_mind_without_end_is_given_up(target: Path) -> None:
    turns = [0]

    async with FakeHub(linked=False, redirects=False, cuts=[100_000] * 50) as hub:
        # each time another file, so that no part can be gone on with
        class Changing(dict[str, bytes]):
            def get(self, _key: str, _default: object = None) -> bytes:
                turns[0] += 1
                return b"GGUF" + bytes([turns[0]]) * 200_000

        hub._repos["o/r"] = Changing()
        await failure(source(hub), target)
    assert turns[0] < 15


async def test_a_missing_file_is_not_found(hub: FakeHub, target: Path) -> None:
    what = Source(url=f"{hub.url}/o/r/resolve/main/other.gguf")
    with pytest.raises(NotFound, match=r"says: Entry not found"):
        await fetch(what, target)


async def test_a_hub_that_wants_a_token_says_so(hub: FakeHub, target: Path) -> None:
    hub.token = "hf_x"
    error = await failure(source(hub), target)
    assert error.code == "not_allowed"
    assert "HF_TOKEN" in error.message


async def test_nobody_there_is_an_error_at_once(hub: FakeHub, target: Path) -> None:
    hub._hub.close()
    error = await failure(source(hub), target, patience=Patience(tries=5, first_delay_s=60))
    assert error.code == "unreachable"
    assert error.message.endswith("nothing listens there.")


async def test_a_store_that_falls_silent_is_given_up(hub: FakeHub, target: Path) -> None:
    hub.hold_after = 1000
    error = await failure(source(hub), target, patience=Patience(tries=1, silence_s=0.05))
    assert "silent" in error.message


async def test_a_store_without_a_word_is_given_up(target: Path) -> None:
    async def nothing(_peer: Peer) -> None:
        await asyncio.Event().wait()

    async with RawServer(nothing) as server:
        error = await failure(Source(url=server.url), target, patience=Patience(tries=1, silence_s=0.05))
    assert "silent" in error.message


async def test_a_body_without_a_length_ends_with_the_connection(hub: FakeHub, target: Path) -> None:
    hub.lengths = False
    done, _ = await fetch(source(hub), target)
    assert done.size == len(DATA)
    hub.linked = False
    done, _ = await fetch(source(hub), target.with_name("again.gguf"))
    assert done.size == len(DATA)


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\nabcde",
        b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
async def test_an_answer_that_fits_no_question_is_refused(target: Path, reply: bytes) -> None:
    async with RawServer(reply_once(reply)) as server:
        error = await failure(Source(url=server.url), target)
    assert error.code == "refused"


def reply(status: str, body: bytes, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "Connection: close", *headers, "", ""]).encode() + body


CUT = reply("200 OK", b"GGUF", 'ETag: "a"', "Content-Length: 10")
WHOLE = reply("200 OK", b"GGUFother.", 'ETag: "b"', "Content-Length: 10")


@pytest.mark.parametrize(
    "second",
    [
        reply("206 Partial Content", b"_other", 'ETag: "a"', "Content-Range: bytes 3-8/10", "Content-Length: 6"),
        reply("206 Partial Content", b"other.", 'ETag: "b"', "Content-Range: bytes 4-9/10", "Content-Length: 6"),
        reply("206 Partial Content", b"other..", 'ETag: "a"', "Content-Range: bytes 4-10/11", "Content-Length: 7"),
        reply("206 Partial Content", b"other.", 'ETag: "a"', "Content-Length: 6"),
        reply("416 Range Not Satisfiable", b"", "Content-Range: bytes */4", "Content-Length: 0"),
    ],
    ids=["another place", "another version", "another size", "no place", "no such place"],
)
async def test_a_rest_that_does_not_fit_is_not_taken(target: Path, second: bytes) -> None:
    replies = [CUT, second, WHOLE]
    heads: list[bytes] = []

    async def serve(peer: Peer) -> None:
        heads.append((await peer.request())[0])
        await peer.send(replies.pop(0))

    async with RawServer(serve) as server:
        await fetch(Source(url=server.url), target)
    assert content(target) == b"GGUFother."
    assert [b"Range: bytes=4-" in head for head in heads] == [False, True, False]


async def test_a_rest_that_is_shorter_than_it_says_is_asked_for_again(target: Path) -> None:
    def rest(start: int, body: bytes) -> bytes:
        headers = ('ETag: "a"', f"Content-Range: bytes {start}-9/10", f"Content-Length: {len(body)}")
        return reply("206 Partial Content", body, *headers)

    replies = [CUT, rest(4, b"oth"), rest(7, b"er.")]

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(replies.pop(0))

    async with RawServer(serve) as server:
        await fetch(Source(url=server.url), target)
    assert content(target) == b"GGUFother."


async def test_a_disk_that_is_behind_holds_the_server_up(
    hub: FakeHub, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HIGH_WATER", 1000)
    await fetch(source(hub), target)
    assert content(target) == DATA


async def test_a_cancelled_download_goes_on_later(hub: FakeHub, target: Path) -> None:
    hub.hold_after = 300_000
    half = asyncio.Event()

    def progress(here: int, _: int | None) -> None:
        if here == 300_000:
            half.set()

    client = Client()
    task = asyncio.create_task(download(client, source(hub), target, progress=progress))
    async with asyncio.timeout(10):
        await half.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.close()
    hub.hold_after, hub.requests = None, []
    await fetch(source(hub), target)
    assert ranges(hub) == ["bytes=300000-"]
    assert content(target) == DATA
