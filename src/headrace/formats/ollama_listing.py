"""This module lists and describes models as Ollama does.

Source: Ollama, `docs/api.md` and `api/types.go`. Of what Ollama tells of a model's file Headrace knows nothing, since
models may be anywhere: sizes are 0 and details empty, and `modified_at` is the zero of Go's time, as Ollama itself
writes what it does not know. `digest` is that of the name: clients cut it, and tell models apart by it.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

__all__ = ["ARCHITECTURE", "VERSION", "process", "show", "tag", "tags"]

VERSION = "0.30.0"
"""The version of Ollama's API that is spoken here: clients ask for it before they use what came with it."""

ARCHITECTURE = "headrace"
"""What stands before the keys of `model_info`."""

_UNKNOWN_TIME = "0001-01-01T00:00:00Z"


def tags(names: Iterable[str]) -> dict[str, Any]:
    """Return the reply of `GET /api/tags`."""
    return {"models": [tag(name) for name in names]}


def tag(name: str) -> dict[str, Any]:
    """Return a model as it is listed."""
    return {"name": name, "model": name, "modified_at": _UNKNOWN_TIME, "size": 0, **_identity(name)}


def process(name: str) -> dict[str, Any]:
    """Return a model as `GET /api/ps` lists it, while it answers."""
    return {
        "name": name,
        "model": name,
        "size": 0,
        **_identity(name),
        "expires_at": _UNKNOWN_TIME,
        "size_vram": 0,
        "context_length": 0,
    }


def show(context_length: int | None) -> dict[str, Any]:
    """Return the reply of `POST /api/show`."""
    info: dict[str, Any] = {"general.architecture": ARCHITECTURE}
    if context_length is not None:
        info[f"{ARCHITECTURE}.context_length"] = context_length
    return {
        "modelfile": "",
        "parameters": "",
        "template": "",
        "details": _details(),
        "model_info": info,
        "capabilities": ["completion"],
        "modified_at": _UNKNOWN_TIME,
    }


def _identity(name: str) -> dict[str, Any]:
    return {"digest": hashlib.sha256(name.encode()).hexdigest(), "details": _details()}


def _details() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "",
        "family": "",
        "families": [],
        "parameter_size": "",
        "quantization_level": "",
    }
