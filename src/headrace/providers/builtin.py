"""This module answers with the model that comes with Headrace, so that the first minute needs nothing.

`headrace-tiny` is a demonstration: 3.5 million parameters, made by `tools/tiny_model`, which greet, count, tell a short
story and say how to connect a real model. It is never chosen while another model can answer, unless it is named. Where
the request names no `temperature` it answers at 0.2: at what large models are asked with it loses its thread.
"""

from importlib import resources
from pathlib import Path

import msgspec

from headrace.core.events import FinishReason
from headrace.core.messages import Request
from headrace.providers.embedded import Embedded, EmbeddedSettings
from headrace.providers.port import Emit, Model

__all__ = ["BUILTIN", "Builtin", "model_file"]

BUILTIN = "builtin"
"""The provider's name."""

_CONTEXT = 1024  # tokens: what it was trained with
_THREADS = 2  # more do not help a model that fits into a core's cache
_TEMPERATURE = 0.2  # of 30 stories 30 are whole, at the engine's own 0.8 it is 27


def model_file() -> Path:
    """Return where the model lies."""
    return Path(str(resources.files("headrace.providers") / "builtin_model" / "headrace-tiny.gguf"))


class Builtin(Embedded):
    """The built-in model and its engine; fills `providers.port.Provider` and `providers.health.Stateful`."""

    def __init__(self) -> None:
        settings = EmbeddedSettings(path=model_file(), context=_CONTEXT, threads=_THREADS, memory_mib=16)
        super().__init__(BUILTIN, settings)

    async def models(self) -> list[Model]:
        """Return the one model, marked as a demonstration. Raises `unknown_model` where its file is missing."""
        return [msgspec.structs.replace(model, demonstration=True) for model in await super().models()]

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        """Make one answer; see the port."""
        parameters = {"temperature": _TEMPERATURE, **request.parameters}
        return await super().generate(msgspec.structs.replace(request, parameters=parameters), emit)
