"""This module lists models as OpenAI does.

Source: OpenAI's API reference, "The model object". `context_length` is as OpenRouter has it.
"""

from collections.abc import Iterable

import msgspec

__all__ = ["Model", "ModelList", "model_list"]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A model. When it was made (`created`, in seconds since 1970) nobody tells: it is 0."""

    id: str
    object: str = "model"
    created: int = 0
    owned_by: str
    context_length: int | msgspec.UnsetType = msgspec.UNSET


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All models."""

    object: str = "list"
    data: tuple[Model, ...]


def model_list(models: Iterable[tuple[str, str, int | None]]) -> ModelList:
    """Return the list of models of which id, provider and context length are known."""
    return ModelList(
        data=tuple(
            Model(id=name, owned_by=owner, context_length=msgspec.UNSET if length is None else length)
            for name, owner, length in models
        )
    )
