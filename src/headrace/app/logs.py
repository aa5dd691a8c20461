"""This module sets up logging: one stream of lines, our own and those of libraries alike."""

import logging
import sys
from typing import TextIO

import structlog

__all__ = ["configure"]


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log line to `stream` (standard error): coloured on a terminal, otherwise one JSON object each.

    What goes through the standard library's `logging` (uvicorn, aiohttp, SQLAlchemy) comes out in the same form.
    May be called again; the last call counts.
    """
    stream = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(terminal=stream.isatty()))
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)


def _renderers(*, terminal: bool) -> list[structlog.typing.Processor]:
    drop_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if terminal:
        # a plain traceback: the rich one prints local variables, and keys may be among them
        return [drop_meta, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [drop_meta, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
