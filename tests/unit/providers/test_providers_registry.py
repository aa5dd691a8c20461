from pathlib import Path

import msgspec
import pytest

from fakes.models import Answer, ask
from headrace.core.errors import ProviderError, SettingsError
from headrace.providers.embedded import EmbeddedSettings
from headrace.providers.health import Stateful
from headrace.providers.ollama import OllamaSettings
from headrace.providers.openai import OpenAISettings
from headrace.providers.registry import KINDS, Keyless, Off, make
from headrace.providers.scripted import ScriptedSettings


class Described(msgspec.Struct, frozen=True):
    kind: str
    settings: msgspec.Struct
    missing: str | None = None
    enabled: bool = True


BOX = OpenAISettings(base_url="http://127.0.0.1:9100/v1")


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("embedded", EmbeddedSettings(path=Path("a.gguf"))),
        ("ollama", OllamaSettings()),
        ("openai", BOX),
        ("scripted", ScriptedSettings()),
    ],
)
async def test_every_kind_is_made_of_its_settings(kind: str, settings: msgspec.Struct) -> None:
    provider = make("box", Described(kind, settings))
    assert (provider.name, provider.kind) == ("box", kind)
    assert type(settings) is KINDS[kind].settings
    await provider.close()


def test_every_kind_has_a_case_above() -> None:
    assert set(KINDS) == {"embedded", "ollama", "openai", "scripted"}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SettingsError, match="no known kind: 'gopher'"):
        make("box", Described("gopher", BOX))


def test_settings_with_a_key_nobody_knows_are_refused() -> None:
    for kind in KINDS.values():
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"path": "a", "base_url": "b", "no_such_key": 1}, kind.settings)


async def test_a_provider_without_its_key_is_down_with_the_remedy() -> None:
    provider = make("box", Described("openai", BOX, missing="BOX_KEY"))
    assert isinstance(provider, Keyless)
    for call in (provider.models(), Answer().of(provider, ask("text"))):
        with pytest.raises(ProviderError, match="BOX_KEY, which is not set") as caught:
            await call
        assert caught.value.code == "bad_key"
    await provider.close()


async def test_a_provider_that_may_not_be_used_is_off_also_without_its_key() -> None:
    provider = make("box", Described("openai", BOX, missing="BOX_KEY", enabled=False))
    assert isinstance(provider, Off)
    assert isinstance(provider, Stateful)
    assert (provider.name, provider.kind, provider.slots) == ("box", "openai", None)
    assert (provider.state, provider.reason, await provider.models()) == (
        ("off", "The settings say `enabled = false`.", [])
    )
    with pytest.raises(ProviderError, match="The provider box is off: The settings say") as caught:
        await Answer().of(provider, ask("text"))
    assert caught.value.code == "unknown_model"
    await provider.close()
