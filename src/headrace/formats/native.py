"""This module is Headrace's own format: the entry that the journal stores, and its frames on the wire.

An entry is one event as JSON with the milliseconds since `run.started` before it, always in this order and without
spaces: `{"t":12,"type":"text","delta":"..."}`. So time and type are read by slicing. A frame is that entry, unchanged,
under its sequence number in the run (`id`) and its type (`event`). Source: "Events" of the API's documentation.

A merged frame holds the deltas of several `text` entries; `id` is the last one's number, `from` the first one's.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec

from headrace.core.errors import ProviderError, ServerError
from headrace.core.events import TERMINAL, Event, Text
from headrace.formats import jsontext, sse

__all__ = [
    "Decoder",
    "Encoder",
    "decode",
    "decode_all",
    "encode",
    "frame",
    "frames",
    "gather",
    "is_terminal",
    "merge",
    "raw_delta",
    "time_of",
    "type_of",
]

_TYPE = b',"type":"'
_TYPE_LENGTH = len(_TYPE)
_TEXT = b',"type":"text","delta":'
_TERMINAL = frozenset(str(kind.__struct_config__.tag).encode() for kind in TERMINAL)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


def encode(event: Event, t: int) -> bytes:
    """Return the entry of an event that happened `t` milliseconds after `run.started`. Any text survives."""
    try:
        if type(event) is Text:
            return b'{"t":%d,"type":"text","delta":%b}' % (t, _encode(event.delta))
        body = _encode(event)
    except UnicodeEncodeError:
        body = jsontext.encode(event)
    return b'{"t":%d,%b' % (t, body[1:])


def decode(entry: bytes) -> Event:
    """Return the event of an entry. Raises `ServerError` (`bad_entry`) where it is none."""
    try:
        return cast("Event", _decode(entry))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return cast("Event", msgspec.convert(jsontext.decode(entry), Event))
    except (msgspec.ValidationError, ValueError) as error:
        raise ServerError(f"This is no event: {entry[:80]!r} ({error})", code="bad_entry") from error


def time_of(entry: bytes) -> int:
    """Return the milliseconds since `run.started`."""
    return int(entry[5 : entry.index(b",")])


def type_of(entry: bytes) -> str:
    """Return the event's type, as `text` or `run.started`."""
    return _type(entry).decode()


def is_terminal(entry: bytes) -> bool:
    """Return whether this entry ends its run."""
    return _type(entry) in _TERMINAL


def raw_delta(entry: bytes) -> bytes | None:
    """Return the delta of a `text` entry as the JSON string it is, with its quotes; None for every other type."""
    comma = entry.index(b",")
    return entry[comma + len(_TEXT) : -1] if entry.startswith(_TEXT, comma) else None


def frame(seq: int, entry: bytes) -> bytes:
    """Return the entry as the frame that has this number."""
    start = entry.index(b",") + len(_TYPE)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (seq, entry[start : entry.index(b'"', start)], entry)


def frames(start: int, entries: Sequence[bytes]) -> bytes:
    """Return the entries as frames that are numbered from `start`."""
    return b"".join([frame(seq, entry) for seq, entry in enumerate(entries, start)])


def merge(start: int, entries: Sequence[bytes]) -> bytes:
    """Return the entries as `frames` does, but runs of adjacent `text` entries as one frame."""
    merged, seq = [], start
    for count, entry in gather(entries):
        last = seq + count - 1
        merged.append(frame(last, entry if count == 1 else b'%b,"from":%d}' % (entry[:-1], seq)))
        seq = last + 1
    return b"".join(merged)


def gather(entries: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """Return the entries in order, each run of adjacent `text` entries as one, with how many each stands for.

    The one entry of a run has the deltas of all and the time of the last.
    """
    gathered: list[tuple[int, bytes]] = []
    run: list[bytes] = []
    last = b""
    for entry in entries:
        delta = raw_delta(entry)
        if delta is not None:
            run.append(delta[1:-1])
        elif run:
            gathered.append(_joined(run, last))
            run = []
        if delta is None:
            gathered.append((1, entry))
        last = entry
    if run:
        gathered.append(_joined(run, last))
    return gathered


class Encoder:
    """Frames for readers of our own API; any number may share one.

    No frame depends on those before it. The last frames made are kept: a run's readers are woken one after the other
    and most are at the same place, so they share one encoding and one piece of memory.
    """

    __slots__ = ("_count", "_first", "_frames", "_last", "_seq")

    content_type = "text/event-stream"

    def __init__(self) -> None:
        self._seq, self._count = -1, 0
        self._first = self._last = b""
        self._frames = b""

    def start(self) -> bytes:
        """Return nothing: the first event is the start."""
        return b""

    def skip(self, entries: Sequence[bytes]) -> None:
        """Do nothing: no frame depends on those before it."""

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        """Return the frames of these entries, numbered from `seq`."""
        if merge or not entries:
            return _merge(seq, entries)
        first, last, count = entries[0], entries[-1], len(entries)
        if first is not self._first or last is not self._last or seq != self._seq or count != self._count:
            self._first, self._last, self._seq, self._count = first, last, seq, count
            if count > 1:
                self._frames = frames(seq, entries)
            else:  # `frame` in line: the path of a token
                start = first.index(b",") + _TYPE_LENGTH
                self._frames = b"id: %d\nevent: %b\ndata: %b\n\n" % (
                    seq,
                    first[start : first.index(b'"', start)],
                    first,
                )
        return self._frames

    def keepalive(self) -> bytes:
        """Return a comment and a blank line."""
        return b": ping\n\n"


class Decoder:
    """The events of a run as its frames arrive, for clients."""

    def __init__(self) -> None:
        self._sse = sse.Decoder()

    def feed(self, data: bytes) -> list[tuple[int, Event]]:
        """Return the events that these bytes complete, each with its number; of a merged frame the last one's.

        Raises `ProviderError` (`upstream_garbled`) where a frame is no event of a run. What came before it in these
        bytes is not returned then: resume after the last number that was.
        """
        return [self._event(each) for each in self._sse.feed(data)]

    def _event(self, each: sse.Frame) -> tuple[int, Event]:
        try:
            return int(each.id), decode(each.data)
        except (ValueError, ServerError) as error:
            raise ProviderError(f"The server sent no event of a run: {error}", code="upstream_garbled") from error


_merge = merge  # for `Encoder.encode`, whose parameter has that name


def _type(entry: bytes) -> bytes:
    start = entry.index(b",") + len(_TYPE)
    return entry[start : entry.index(b'"', start)]


def _joined(run: list[bytes], last: bytes) -> tuple[int, bytes]:
    if len(run) == 1:
        return 1, last
    return len(run), b'%b%b"%b"}' % (last[: last.index(b",")], _TEXT, b"".join(run))


def decode_all(entries: Sequence[bytes]) -> list[Event]:
    """Return the events of entries, as `decode` does of one. Raises `ServerError` (`bad_entry`) where one is none."""
    try:
        happened = _decode_list(b"[%b]" % b",".join(entries))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        happened = []
    # one by one, so that what is no event is told by itself, and what only our own JSON reads is read
    return happened if len(happened) == len(entries) else [decode(entry) for entry in entries]


_decode_list = msgspec.json.Decoder(list[Event]).decode
