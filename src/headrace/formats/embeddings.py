"""This module speaks of vectors as OpenAI and Ollama do: requests and replies, both ways.

Sources: OpenAI's API reference, "Create embeddings"; Ollama, `docs/api.md`, "Generate Embeddings".
"""

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headrace.core.errors import ProviderError
from headrace.core.vectors import Vectors
from headrace.formats import jsontext
from headrace.formats.asking import checked, object_in, refuse

__all__ = [
    "Asked",
    "decode_ollama",
    "decode_ollama_reply",
    "decode_openai",
    "decode_openai_reply",
    "encode_ollama",
    "encode_openai",
    "ollama_body",
    "openai_body",
]

_MAX_TEXTS = 2048
_Texts = Annotated[list[str], Meta(min_length=1, max_length=_MAX_TEXTS)]
_OPENAI = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
_OLLAMA = frozenset({"model", "input", "dimensions", "truncate", "keep_alive", "options"})


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """For which texts vectors are wanted; `more` is what only a provider of the same format understands."""

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    as_base64: bool = False
    more: dict[str, Any] = {}


class _Known(msgspec.Struct):
    model: Annotated[str, Meta(min_length=1, max_length=200)]
    input: str | list[Any]
    dimensions: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    encoding_format: Literal["float", "base64"] = "float"


def decode_openai(body: bytes) -> Asked:
    """Return what `POST /v1/embeddings` asks for. Raises `BadRequest`, `BadField`, `NotAvailable`."""
    return _asked(body, _OPENAI)


def decode_ollama(body: bytes) -> Asked:
    """Return what `POST /api/embed` asks for. Raises as `decode_openai` does."""
    return _asked(body, _OLLAMA, own=_OLLAMA - {"model", "input", "dimensions"})


def encode_openai(asked: Asked, vectors: Vectors, *, model: str) -> bytes:
    """Return the reply of `POST /v1/embeddings`."""
    tokens = vectors.input_tokens or 0
    data = [
        {"object": "embedding", "index": at, "embedding": _packed(each) if asked.as_base64 else each}
        for at, each in enumerate(vectors.values)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return jsontext.encode_ascii({"object": "list", "data": data, "model": model, "usage": usage})


def encode_ollama(vectors: Vectors, *, model: str, total_ns: int) -> bytes:
    """Return the reply of `POST /api/embed`; `total_ns` is how long it took, in nanoseconds."""
    count = {} if vectors.input_tokens is None else {"prompt_eval_count": vectors.input_tokens}
    return jsontext.encode_ascii({"model": model, "embeddings": vectors.values, "total_duration": total_ns, **count})


class _Item(msgspec.Struct):
    embedding: list[float]
    index: int = 0


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None


class _OpenAIReply(msgspec.Struct):
    data: list[_Item]
    usage: _Usage | None = None


class _OllamaReply(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: int | None = None


def decode_openai_reply(body: bytes, count: int) -> Vectors:
    """Return the vectors of a reply, one for each of `count` texts. Raises `ProviderError` (`upstream_garbled`)."""
    reply = _reply(body, _OpenAIReply)
    values = [item.embedding for item in sorted(reply.data, key=lambda item: item.index)]
    return _whole(values, count, reply.usage.prompt_tokens if reply.usage is not None else None)


def decode_ollama_reply(body: bytes, count: int) -> Vectors:
    """Return the vectors of Ollama's reply. Raises as `decode_openai_reply` does."""
    reply = _reply(body, _OllamaReply)
    return _whole(reply.embeddings, count, reply.prompt_eval_count)


def _asked(body: bytes, known: frozenset[str], *, own: frozenset[str] = frozenset()) -> Asked:
    given = {name: value for name, value in object_in(body).items() if value is not None}
    read = checked(given, _Known)
    texts = [read.input] if isinstance(read.input, str) else read.input
    if not all(isinstance(text, str) for text in texts):
        raise refuse("input", "Headrace takes texts, not tokens: each server has its own.")
    for name in given.keys() - known:
        raise refuse(name, f"There is no field {name!r} here.")
    return Asked(
        model=read.model,
        texts=tuple(checked(texts, _Texts, field="input")),
        dimensions=read.dimensions,
        as_base64=read.encoding_format == "base64",
        more={name: given[name] for name in own & given.keys()},
    )


def _reply(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        message = f"The model's server did not answer with vectors: {error}. Check that the model makes any."
        raise ProviderError(message, code="upstream_garbled") from error


def _whole(values: Sequence[list[float]], count: int, tokens: int | None) -> Vectors:
    if len(values) != count:
        message = f"The model's server sent {len(values)} vectors for {count} texts."
        raise ProviderError(message, code="upstream_garbled")
    return Vectors(values=tuple(values), input_tokens=tokens)


def _packed(vector: Sequence[float]) -> str:
    """Return the vector as OpenAI's clients like it best: 32-bit numbers, little-endian, in base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def openai_body(model: str, texts: Sequence[str], dimensions: int | None) -> bytes:
    """Return the body that asks an OpenAI-compatible server."""
    return _body(model, texts, dimensions, {"encoding_format": "float"})


def ollama_body(model: str, texts: Sequence[str], dimensions: int | None, more: Mapping[str, Any]) -> bytes:
    """Return the body that asks an Ollama."""
    return _body(model, texts, dimensions, more)


def _body(model: str, texts: Sequence[str], dimensions: int | None, more: Mapping[str, Any]) -> bytes:
    wanted = {} if dimensions is None else {"dimensions": dimensions}
    return jsontext.encode({"model": model, "input": texts, **wanted, **more})
