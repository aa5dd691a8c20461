"""This module feeds every decoder damaged bytes, and finds what raises anything but the error that it promises.

    python tools/fuzz.py [SECONDS] [SEED]

It starts from the golden files, changes them (bits, cuts, copies, splices, numbers, other encodings), and reads each
result whole and in pieces: both must end alike. What it finds is written to standard output, and the status is 1.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from headrace.core.errors import HeadraceError
from headrace.formats import (
    documents,
    export_file,
    multimodel,
    native,
    ndjson,
    ollama,
    ollama_models,
    openai_chat,
    relay,
    sse,
    studio,
    tutor,
)
from headrace.journal.segments import Torn, decode_chunk, decode_segment
from headrace.net.origin import parse
from headrace.providers import gguf

__all__ = ["Found", "fuzz"]

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden"
MOST = 20_000  # bytes: longer ones take the time of many short ones

_PIECES = (b"\r\n", b"\n\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"data: ", b"id: ", b"event: ", b"[DONE]", b"{}", b"[",
           b'{"error":', b"null", b"1e999", b"-0", b'"\\ud800"', b"\xed\xa0\x80", b"9" * 400, b"[" * 2000, b"<think>", b"</think>",
           b'"choices":[{}]', b'"type":"run.finished"', b": ping\n\n")  # fmt: skip


class Found(NamedTuple):
    """Bytes that a decoder should have taken otherwise. `cuts` are where they were cut; none: they came whole."""

    decoder: str
    data: bytes
    cuts: tuple[int, ...]
    what: str


Decoders = Mapping[str, tuple[Callable[[], Any], str]]

_STREAMS: Decoders = {
    "sse": (sse.Decoder, "*/*.sse"),
    "ndjson": (ndjson.Decoder, "*/*.ndjson"),
    "native": (native.Decoder, "native/*.sse"),
    "openai_chat": (openai_chat.Decoder, "openai_chat/*.sse"),
    "ollama": (ollama.Decoder, "ollama/*.ndjson"),
    "relay generate": (relay.GenerateDecoder, "relay/*.sse"),
    "relay chat": (relay.ChatDecoder, "relay/*.sse"),
    "multimodel": (multimodel.Decoder, "multimodel/*.sse"),
    "tutor": (tutor.Decoder, "tutor/*.sse"),
    "documents": (documents.Decoder, "documents/*.sse"),
    "studio": (studio.Decoder, "studio/*.sse"),
}


def _gguf(data: bytes) -> object:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return gguf.read(Path(file.name))


_WHOLE: Mapping[str, Callable[[bytes], object]] = {
    "native entry": native.decode,
    "openai reply": openai_chat.decode_reply,
    "ollama tags": ollama_models.decode_tags,
    "ollama show": ollama_models.decode_show,
    "ollama ps": ollama_models.decode_ps,
    "ollama embed": ollama_models.decode_embed,
    "export": lambda data: list(export_file.read(memoryview(data))),
    "segment": decode_segment,
    "chunk": lambda data: decode_chunk(data, 3),
    "url": lambda data: parse(data.decode("utf-8", "replace")),
    "gguf": _gguf,
}
_PROMISED = (HeadraceError, Torn)


def fuzz(seconds: float, seed: int) -> Iterator[Found]:
    """Damage and decode for so long, every decoder in turn, and yield what was found; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311  it has to be the same again
    end = time.monotonic() + seconds
    seeds = {name: [path.read_bytes()[:MOST] for path in sorted(GOLDEN.glob(at))] for name, (_, at) in _STREAMS.items()}
    lines = [line for path in sorted(GOLDEN.glob("*/*.jsonl")) for line in path.read_bytes().splitlines()]
    heads = [b"GGUF" + rng.randbytes(200), b"https://user@host:80/v1?a#b", b"[]", b"{}", *lines]
    while time.monotonic() < end:
        for name, (make, _) in _STREAMS.items():
            data = _damaged(rng, rng.choice(seeds[name]))
            cuts = tuple(sorted(rng.sample(range(len(data) + 1), min(len(data), rng.randint(0, 6)))))
            yield from _streamed(name, make, data, cuts)
        for name, decode in _WHOLE.items():
            data = _damaged(rng, rng.choice(heads))
            try:
                decode(data)
            except _PROMISED:
                pass
            except Exception as error:  # noqa: BLE001  that is what is looked for
                yield Found(name, data, (), repr(error))


def _streamed(name: str, make: Callable[[], Any], data: bytes, cuts: tuple[int, ...]) -> Iterator[Found]:
    try:
        whole, pieces = _read(make(), data, ()), _read(make(), data, cuts)
    except Exception as error:  # noqa: BLE001  that is what is looked for
        yield Found(name, data, cuts, repr(error))
        return
    if whole != pieces:
        yield Found(name, data, cuts, f"whole {whole!r}, in pieces {pieces!r}")


def _read(decoder: Any, data: bytes, cuts: tuple[int, ...]) -> tuple[bytes, str | None]:
    """Return what was said, pieces of one text joined, and the error that ended it."""
    said: list[Any] = []
    error: str | None = None
    at = (0, *cuts, len(data))
    try:
        for start, stop in itertools.pairwise(at):
            said += decoder.feed(data[start:stop])
        if hasattr(decoder, "close"):
            rest = decoder.close()
            said += rest if isinstance(rest, list) else [rest] if rest else []
    except _PROMISED as refusal:
        error = getattr(refusal, "code", None)
        if hasattr(decoder, "kinds") or isinstance(decoder, native.Decoder | ndjson.Decoder | sse.Decoder):
            said = []  # what comes before an error in the same bytes may go with it
    return _joined(said), error


def _joined(said: list[Any]) -> bytes:
    texts: list[Any] = []
    for one in said:
        text = getattr(one, "text", None)
        if isinstance(text, str) and texts and texts[-1][0] == type(one).__name__:
            texts[-1] = (texts[-1][0], texts[-1][1] + text)
        elif isinstance(text, str):
            texts.append((type(one).__name__, text))
        else:
            texts.append(("", repr(one)))
    return msgspec.msgpack.encode([(kind, text.encode("utf-8", "surrogatepass")) for kind, text in texts])


def _damaged(rng: random.Random, data: bytes) -> bytes:
    made = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 4, 8))):
        at = rng.randint(0, len(made))
        match rng.randrange(6):
            case 0:
                made[at:at] = rng.choice(_PIECES)
            case 1:
                del made[at : at + rng.choice((1, 2, 16, 200))]
            case 2:
                made[at : at + 1] = rng.randbytes(1)
            case 3:
                start = rng.randint(0, len(made))
                made[at:at] = made[start : start + rng.choice((1, 8, 64, 400))]
            case 4:
                made[at : at + 4] = rng.randbytes(rng.randint(0, 8))
            case _:
                del made[at:]
    return bytes(made)


def main() -> int:
    """Fuzz; return the exit status."""
    parser = argparse.ArgumentParser(description="Feed every decoder damaged bytes.")
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    arguments = parser.parse_args()
    seconds = arguments.seconds
    found = list(fuzz(seconds, arguments.seed))
    for one in found[:20]:
        print(f"{one.decoder}: {one.what[:400]}\n  cuts {one.cuts}\n  data {one.data[:2000]!r}")
    print(f"{len(found)} found in {seconds:g} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
