"""This module is the one table of all kinds of providers."""

from collections.abc import Callable, Mapping
from typing import Any, Never, Protocol

import msgspec

from headrace.core.errors import ProviderError, SettingsError
from headrace.core.events import FinishReason
from headrace.core.messages import Request
from headrace.providers.embedded import Embedded, EmbeddedSettings
from headrace.providers.ollama import Ollama, OllamaSettings
from headrace.providers.openai import OpenAI, OpenAISettings
from headrace.providers.port import Emit, Model, Provider, State
from headrace.providers.scripted import Scripted, ScriptedSettings

__all__ = ["KINDS", "Described", "Keyless", "Kind", "Off", "make"]


class Kind(msgspec.Struct, frozen=True):
    """A kind of provider: what can be set, and how one is made of its name and its settings."""

    settings: type[msgspec.Struct]
    make: Callable[[str, Any], Provider]


KINDS: Mapping[str, Kind] = {
    "embedded": Kind(EmbeddedSettings, Embedded),
    "ollama": Kind(OllamaSettings, Ollama),
    "openai": Kind(OpenAISettings, OpenAI),
    "scripted": Kind(ScriptedSettings, Scripted),
}


class Described(Protocol):
    """What the settings say of a provider."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        ...

    @property
    def settings(self) -> msgspec.Struct:
        """The settings, of that kind's struct."""
        ...

    @property
    def missing(self) -> str | None:
        """The environment variable that should hold the key and is not set; None where nothing is missing."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it may be used."""
        ...


def make(name: str, described: Described) -> Provider:
    """Return the provider of this name. Raises `SettingsError` where its settings cannot be used.

    One whose key is missing is `Keyless`: down, with the remedy as its reason. One that may not be used is `Off`.
    """
    kind = KINDS.get(described.kind)
    if kind is None:
        raise SettingsError(
            f"The provider {name} is of no known kind: {described.kind!r}. Known are {', '.join(KINDS)}."
        )
    if not described.enabled:
        return Off(name, described.kind, "The settings say `enabled = false`.")
    if described.missing is not None:
        return Keyless(name, described.kind, described.missing)
    return kind.make(name, described.settings)


class Keyless:
    """Stands for a provider whose key is missing; fills `providers.port.Provider`."""

    slots = None

    def __init__(self, name: str, kind: str, variable: str) -> None:
        self.name = name
        self.kind = kind
        self._variable = variable

    async def models(self) -> list[Model]:
        """Raise `bad_key`."""
        self._refuse()

    async def generate(self, _request: Request, _emit: Emit) -> FinishReason:
        """Raise `bad_key`."""
        self._refuse()

    async def close(self) -> None:
        """Have nothing to release."""

    def _refuse(self) -> Never:
        raise ProviderError(
            f"The provider {self.name} takes its key from the environment variable {self._variable}, which is not "
            "set. Set it and start again.",
            code="bad_key",
        )


class Off:
    """Stands for a provider that could be used and is not; fills `providers.port.Provider` and `health.Stateful`.

    Nothing is asked of it. `reason` says why it is off, and what would switch it on.
    """

    slots = None

    def __init__(self, name: str, kind: str, reason: str) -> None:
        self.name = name
        self.kind = kind
        self.state: State = "off"
        self.reason: str | None = reason

    async def models(self) -> list[Model]:
        """Return none."""
        return []

    async def generate(self, _request: Request, _emit: Emit) -> FinishReason:
        """Raise `unknown_model`."""
        raise ProviderError(f"The provider {self.name} is off: {self.reason}", code="unknown_model")

    async def close(self) -> None:
        """Have nothing to release."""
