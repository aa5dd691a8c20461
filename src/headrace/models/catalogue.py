"""This module knows which models there are and what a name means."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from headrace.core.errors import ProviderError
from headrace.providers.port import FoundBy, Model, Provider, State

__all__ = ["AUTO", "Catalogue", "Entry", "Health", "Target"]

AUTO = "auto"

_LATEST = "latest"
# a name without a tag means this one, as Ollama has it


class Health(Protocol):
    """What is known of a provider now."""

    @property
    def provider(self) -> Provider:
        """The provider itself."""
        ...

    @property
    def state(self) -> State:
        """Whether it answers."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it does not."""
        ...

    @property
    def models(self) -> Sequence[Model]:
        """The models that it listed last; another list is another object."""
        ...

    @property
    def since_ms(self) -> int:
        """When it came into this state, in milliseconds since the Unix epoch."""
        ...

    @property
    def found_by(self) -> FoundBy:
        """Who knows of it."""
        ...


class Watched(Protocol):
    """Who keeps `Health` fresh."""

    def health(self) -> Sequence[Health]:
        """Return what is known of every provider: first those of the settings in their order, then those found."""
        ...

    async def looked(self) -> None:
        """Return once every provider was asked at least once, or the first look took too long."""
        ...


class Target(msgspec.Struct, frozen=True):
    """Who answers: a provider and its own name of the model."""

    provider: Provider
    model: str
    can_continue: bool
    demonstration: bool = False

    @property
    def id(self) -> str:
        """The model's id, `provider/model`."""
        return f"{self.provider.name}/{self.model}"


class Entry(msgspec.Struct, frozen=True):
    """A model as the catalogue lists it."""

    id: str
    name: str
    provider: str
    state: State
    reason: str | None
    context_length: int | None
    can_continue: bool
    demonstration: bool


class Catalogue:
    """Resolves names to targets. A model's id is `provider/model`; see the README for what a bare name means."""

    def __init__(self, watched: Watched, *, default: str = AUTO, aliases: Mapping[str, str] | None = None) -> None:
        self._watched = watched
        self._default = default
        self._aliases = dict(aliases or {})
        self._listed: dict[str, tuple[Sequence[Model], dict[str, Model]]] = {}  # by provider; see `_names`

    def entries(self) -> list[Entry]:
        """Return every model that a provider listed, those of providers that are down included."""
        return [
            Entry(
                id=f"{health.provider.name}/{model.name}",
                name=model.name,
                provider=health.provider.name,
                state=health.state,
                reason=health.reason,
                context_length=model.context_length,
                can_continue=model.can_continue,
                demonstration=model.demonstration,
            )
            for health in self._watched.health()
            for model in health.models
        ]

    def health(self) -> Sequence[Health]:
        """Return the state of every provider."""
        return self._watched.health()

    def known(self, name: str | None) -> Target | None:
        """Return who answers to this name, or None where nobody does as far as is known now."""
        try:
            return self._resolve(name)
        except ProviderError:
            return None

    async def resolve(self, name: str | None) -> Target:
        """Return who answers to this name; None and `auto` mean the default.

        Waits for the first look at the providers where the name is not known before, or only a demonstration would
        answer to `auto`. Raises `ProviderError` with code `unknown_model` and a message that names the nearest model
        and the providers that are not up, or says why there is none.
        """
        target = self.known(name)
        if target is None or (target.demonstration and self._meant(name) == AUTO):
            await self._watched.looked()
            target = self._resolve(name)
        return target

    def _meant(self, name: str | None) -> str:
        asked = self._default if name is None or name == AUTO else name
        return self._aliases.get(asked, asked)

    def _resolve(self, name: str | None) -> Target:
        asked = self._meant(name)
        if asked == AUTO:
            return self._first()
        return self._qualified(asked) or self._bare(asked)

    def _first(self) -> Target:
        usable = [health for health in self._watched.health() if health.state in {"up", "loading"}]
        up = [(health, model) for health in usable for model in health.models]
        chosen = next((pair for pair in up if not pair[1].demonstration), up[0] if up else None)
        if chosen is None:
            raise ProviderError(self._nothing(), code="unknown_model")
        return _target(chosen[0].provider, chosen[1])

    def _qualified(self, asked: str) -> Target | None:
        # the first segment names a provider only if there is one of that name: `meta-llama/Llama-3` is a bare name
        first, _, rest = asked.partition("/")
        for health in self._watched.health():
            if rest and health.provider.name == first and health.state != "off":
                names = self._names(health)
                listed = names.get(rest) or names.get(f"{rest}:{_LATEST}") or Model(name=rest)
                return _target(health.provider, listed)
        return None

    def _names(self, health: Health) -> dict[str, Model]:
        """Return the models that a provider listed by name: made once for each list, not for each turn."""
        models = health.models
        known = self._listed.get(health.provider.name)
        if known is None or known[0] is not models:
            known = self._listed[health.provider.name] = models, {model.name: model for model in models}
        return known[1]

    def _bare(self, asked: str) -> Target:
        found = self._named(asked) or self._named(f"{asked}:{_LATEST}")
        if len(found) == 1:
            return _target(*found[0])
        if found:
            names = ", ".join(f"{provider.name}/{asked}" for provider, _ in found)
            raise ProviderError(
                f"Several providers have a model {asked!r}. Name one of: {names}.", code="unknown_model"
            )
        raise ProviderError(self._unknown(asked), code="unknown_model")

    def _named(self, name: str) -> list[tuple[Provider, Model]]:
        return [
            (health.provider, model)
            for health in self._watched.health()
            for model in health.models
            if model.name == name
        ]

    def _unknown(self, asked: str) -> str:
        ids = [entry.id for entry in self.entries()]
        first = asked.partition("/")[0]
        off = next((each for each in self.health() if each.state == "off" and each.provider.name == first), None)
        if off is not None:
            return f"There is no model {asked!r}. The provider {first}: {off.reason}"
        if not ids:
            return f"There is no model {asked!r}. {self._nothing()}"
        near = difflib.get_close_matches(asked, [*ids, *(one.partition("/")[2] for one in ids)], n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        return f"There is no model {asked!r}.{hint} GET /api/v1/models lists those that there are.{self._absent()}"

    def _nothing(self) -> str:
        absent = self._absent()
        if absent:
            return f"No model can answer now.{absent}"
        return (
            "No model is set up. Start with MODEL=file.gguf, put a GGUF file into the folder `models` of the data folder, "
            "start Ollama, llama.cpp's server or LM Studio on this machine, or add a provider to the settings."
        )

    def _absent(self) -> str:
        told = ""
        for state in ("down", "loading"):
            names = [f"{each.provider.name} ({each.reason})" for each in self.health() if each.state == state]
            told += f" {state.capitalize()}: {'; '.join(names)}." if names else ""
        off = [each.provider.name for each in self.health() if each.state == "off"]
        return told + (f" Off: {', '.join(off)}; GET /api/v1/providers says why." if off else "")


def _target(provider: Provider, model: Model) -> Target:
    return Target(provider, model.name, model.can_continue, model.demonstration)
