"""This module sets up logging: one stream of lines, our own and those of libraries alike.

Our own lines do not go through the standard library's `logging`: three of them are written for every run, on the event
loop, and its records, filters and locks cost more than the line. Those of libraries come out in the same form.
"""

import contextlib
import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO, Literal, TextIO

import msgspec
import structlog

__all__ = ["Format", "Level", "configure"]

Level = Literal["debug", "info", "warning", "error"]
"""The least that is written."""

Format = Literal["auto", "json", "text"]
"""`json`: one object in each line. `text`: words for people. `auto`: words on a terminal, otherwise objects."""

_Write = Callable[[str | bytes], None]

_LEVELS: dict[Level, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(stream: TextIO | None = None, *, level: Level = "info", form: Format = "auto") -> None:
    """Send every log line of at least this level to `stream` (standard error).

    What goes through the standard library's `logging` (uvicorn, aiohttp, SQLAlchemy) comes out in the same form, but
    never below `info`: what libraries tell each other there may have keys and texts in it. A line that cannot be
    written is dropped: a full disk below the log ends no answer. May be called again; the last call counts.
    """
    stream = sys.stderr if stream is None else stream
    text = stream.isatty() if form == "auto" else form == "text"
    write = _writer(stream)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _STACK,
    ]
    renderers = _words(colours=stream.isatty()) if text else _OBJECTS
    structlog.configure(
        processors=[*shared, *renderers] if text else [structlog.contextvars.merge_contextvars, _own_object],
        logger_factory=lambda name=None: _Logger(name, write),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        context_class=dict,
        cache_logger_on_first_use=False,
    )
    drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = _Handler(write)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[drop_meta, *renderers, _as_text])
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(_LEVELS[level], logging.INFO))


class _Logger:
    """What structlog hands a rendered line to; every level is the same to it."""

    def __init__(self, name: str | None, write: _Write) -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = write


class _Handler(logging.Handler):
    """Where the lines of libraries arrive."""

    def __init__(self, write: _Write) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        try:
            self._write(self.format(record))
        except Exception:  # noqa: BLE001 - a library's faulty line must not end what wrote it
            self.handleError(record)


def _writer(stream: TextIO) -> _Write:
    """Return what writes a line, whole and at once: threads log too, and a buffer's `write` is one step."""
    binary: BinaryIO | None = getattr(stream, "buffer", None)
    if binary is None:
        return partial(_write_text, stream)
    return partial(_write_bytes, binary)


def _write_bytes(stream: BinaryIO, line: str | bytes) -> None:
    data = line if isinstance(line, bytes) else line.encode(errors="backslashreplace")
    try:  # without `suppress`, which costs as much as the writing
        stream.write(data + b"\n")
        stream.flush()
    except (OSError, ValueError):  # ValueError: the stream is closed
        pass


def _write_text(stream: TextIO, line: str | bytes) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.write((line.decode() if isinstance(line, bytes) else line) + "\n")
        stream.flush()


def _add_logger_name(logger: Any, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    record = line.get("_record")
    name = logger.name if record is None else record.name
    if name is not None:
        line["logger"] = name
    return line


def _words(*, colours: bool) -> list[structlog.typing.Processor]:
    # a plain traceback: the rich one prints local variables, and keys may be among them
    return [structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)]


def _own_object(logger: Any, method: str, line: structlog.typing.EventDict) -> bytes:
    """Make a line of our own into an object, by the same steps as a library's, but in one call.

    The time is left to the encoder, which writes it as `TimeStamper` does; what most lines do not have is not asked for.
    """
    line["level"] = method
    if logger.name is not None:
        line["logger"] = logger.name
    line["timestamp"] = datetime.now(UTC)
    if "stack_info" in line:
        line = _STACK(logger, method, line)
    if "exc_info" in line:
        line = structlog.processors.format_exc_info(logger, method, line)
    return _object(logger, method, line)


def _object(_logger: Any, _method: str, line: structlog.typing.EventDict) -> bytes:
    try:
        return _encode(line)
    except (UnicodeEncodeError, OverflowError, TypeError):
        # halves of surrogate pairs, numbers beyond 64 bits, keys that are no text: rare, and no reason to lose a line
        return json.dumps(line, default=_plain, skipkeys=True).encode()


def _plain(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else repr(value)


def _as_text(_logger: Any, _method: str, line: Any) -> str:
    """Return the rendered line as the standard library's formatters want it."""
    return line.decode() if isinstance(line, bytes) else line


_STACK = structlog.processors.StackInfoRenderer()
_encode = msgspec.json.Encoder(enc_hook=repr).encode
_OBJECTS: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, _object]
