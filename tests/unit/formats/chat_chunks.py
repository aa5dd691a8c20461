"""Streams of chat completions, written chunk by chunk, and how a decoder is asked what they say."""

import json
from typing import Any

from headrace.core.errors import ProviderError
from headrace.core.events import Event
from headrace.formats.openai_chat import Decoder

End = dict[str, Any]
"""How an answer ended: its `finish_reason`, or its `error`."""


def read(pieces: list[bytes], *, think: bool = True) -> tuple[list[Event], End]:
    """Return the events and the end, for a caller that does as the docstrings say."""
    decoder = Decoder(think=think)
    events: list[Event] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
            if decoder.done:
                break
        events += decoder.flush()
        events += decoder.close()
    except ProviderError as error:
        return events, {"error": {"code": error.code, "message": error.message}}
    return events, {"finish_reason": decoder.finish_reason}


def stream(*chunks: Any, done: bool = True) -> bytes:
    body = b"".join(b"data: %b\n\n" % json.dumps(chunk, ensure_ascii=False).encode() for chunk in chunks)
    return body + b"data: [DONE]\n\n" if done else body


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **rest}


STOP = chunk(finish="stop")


def code_of(end: End) -> str:
    return str(end["error"]["code"])
