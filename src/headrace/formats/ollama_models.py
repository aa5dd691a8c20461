"""This module reads what Ollama says beside its chats: its models, those that are loaded, and embeddings.

Source: Ollama, `api/types.go` (`/api/tags`, `/api/show`, `/api/ps`, `/api/embed`) and `internal/modelref`. Every reader
raises `ProviderError` (`upstream_garbled`) where the body is not what it should be.
"""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from headrace.core.errors import ProviderError

__all__ = [
    "Embeddings",
    "Listed",
    "Loaded",
    "Shown",
    "canonical",
    "decode_embed",
    "decode_ps",
    "decode_show",
    "decode_tags",
    "is_remote",
]

_T = TypeVar("_T")
_Tokens = Annotated[int, Meta(ge=0)]
_PREFIXES = ("registry.ollama.ai/", "library/")  # where a model is from unless its name says otherwise


class Shown(msgspec.Struct, frozen=True):
    """What a model is. `context_length` is in tokens, as the model was trained; None where it is not told.

    `capabilities` are Ollama's words (`completion`, `tools`, `vision`, `thinking`, `embedding`, ...); None where it is
    too old to tell them.
    """

    context_length: int | None = None
    capabilities: frozenset[str] | None = None


class Listed(msgspec.Struct, frozen=True):
    """A model that is there. `digest` changes with it; empty at servers that only imitate Ollama.

    `remote`: another server runs it. `shown` is what newer versions tell at once, None where `/api/show` must be asked.
    """

    name: str
    digest: str
    remote: bool
    shown: Shown | None


class Loaded(msgspec.Struct, frozen=True):
    """A model in memory, or on its way there. `context_length` is the one it was loaded with."""

    name: str
    context_length: int | None = None


class Embeddings(msgspec.Struct, frozen=True):
    """A vector for each text, in the order of the texts; `input_tokens` of all of them, None where not told."""

    vectors: list[list[float]]
    input_tokens: int | None = None


def decode_tags(body: bytes) -> list[Listed]:
    """Return the models of a reply to `GET /api/tags`, in its order: the one that changed last comes first."""
    return [
        Listed(
            name=model.name,
            digest=model.digest or "",
            remote=bool(model.remote_host) or is_remote(model.name),
            shown=_shown(model),
        )
        for model in _decode(body, _Tags, "/api/tags").models or ()
    ]


def decode_show(body: bytes) -> Shown:
    """Return what a reply to `POST /api/show` tells."""
    show = _decode(body, _Show, "/api/show")
    info = show.model_info or {}
    lengths = {key: value for key, value in info.items() if key.endswith(".context_length") and _is_length(value)}
    # a model with eyes has the lengths of its parts too
    own = lengths.get(f"{info.get('general.architecture')}.context_length")
    return Shown(own or next(iter(lengths.values()), None), show.capabilities)


def decode_ps(body: bytes) -> list[Loaded]:
    """Return the models of a reply to `GET /api/ps`."""
    loaded = _decode(body, _Ps, "/api/ps").models or ()
    return [Loaded(model.name, model.context_length or None) for model in loaded]


def decode_embed(body: bytes) -> Embeddings:
    """Return the vectors of a reply to `POST /api/embed`."""
    reply = _decode(body, _Embed, "/api/embed")
    return Embeddings(reply.embeddings, reply.prompt_eval_count)


def canonical(name: str) -> str:
    """Return the name that all of a model's names have in common, as `llama3.2:latest` for `library/Llama3.2`."""
    name = name.lower()
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def is_remote(name: str) -> bool:
    """Return whether the name says that Ollama's cloud runs this model."""
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag == "cloud" or tag.endswith(("-cloud", ":cloud"))


class _Details(msgspec.Struct):
    context_length: _Tokens | None = None


class _Tag(msgspec.Struct):
    name: str
    digest: str | None = None
    remote_host: str | None = None
    details: _Details | None = None
    capabilities: frozenset[str] | None = None


class _Tags(msgspec.Struct):
    models: list[_Tag] | None


class _Show(msgspec.Struct):
    model_info: dict[str, Any] | None = None
    capabilities: frozenset[str] | None = None


class _Process(msgspec.Struct):
    name: str
    context_length: _Tokens | None = None


class _Ps(msgspec.Struct):
    models: list[_Process] | None


class _Embed(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: _Tokens | None = None


def _shown(model: _Tag) -> Shown | None:
    length = model.details.context_length if model.details is not None else None
    if not length or model.capabilities is None:
        return None
    return Shown(length, model.capabilities)


def _is_length(value: Any) -> bool:
    return type(value) is int and value > 0


def _decode(body: bytes, kind: type[_T], route: str) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProviderError(
            f"The model's server did not answer {route} as Ollama does. Check the provider's kind and base_url: the "
            "address of an Ollama ends with its port, as http://127.0.0.1:11434.",
            code="upstream_garbled",
        ) from error
