from collections.abc import Sequence

import msgspec
import pytest

from headrace.core.errors import ProviderError
from headrace.core.events import FinishReason
from headrace.core.messages import Request
from headrace.models.catalogue import Catalogue, Entry, Health, Target
from headrace.providers.port import Emit, FoundBy, Model, State


class Upstream:
    """A provider of which only the name matters here."""

    kind = "plain"
    slots = None

    def __init__(self, name: str) -> None:
        self.name = name

    async def models(self) -> list[Model]:
        raise NotImplementedError

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


class Known(msgspec.Struct):
    provider: Upstream
    state: State
    reason: str | None
    models: list[Model]
    since_ms: int = 0
    found_by: FoundBy = "settings"


class Watched:
    """What is known of the providers; `found` becomes known with the first look."""

    def __init__(self, *known: Known) -> None:
        self.known = list(known)
        self.found: list[Known] = []
        self.looks = 0

    def health(self) -> Sequence[Health]:
        return self.known

    async def looked(self) -> None:
        self.looks += 1
        for each in self.found:
            self.known = [known for known in self.known if known.provider.name != each.provider.name] + [each]
        self.found = []


def up(name: str, *models: str | Model, state: State = "up", reason: str | None = None) -> Known:
    listed = [model if isinstance(model, Model) else Model(name=model) for model in models]
    return Known(Upstream(name), state, reason, listed)


def down(name: str, *models: str | Model, reason: str = "refused") -> Known:
    return up(name, *models, state="down", reason=reason)


DEMO = Model(name="demo", can_continue=True, demonstration=True)


async def resolved(watched: Watched, name: str | None, *, default: str = "auto", **aliases: str) -> str:
    return (await Catalogue(watched, default=default, aliases=aliases).resolve(name)).id


async def refused(watched: Watched, name: str | None, *, default: str = "auto", **aliases: str) -> str:
    """Return the message with which a name is refused."""
    with pytest.raises(ProviderError) as caught:
        await Catalogue(watched, default=default, aliases=aliases).resolve(name)
    assert caught.value.code == "unknown_model"
    return caught.value.message


# The default.


@pytest.mark.parametrize("name", [None, "auto"])
async def test_auto_is_the_first_model_of_the_first_provider_that_is_up(name: str | None) -> None:
    watched = Watched(down("a", "m1"), up("b"), up("c", "m2", "m3"), up("d", "m4"))
    assert await resolved(watched, name) == "c/m2"


async def test_a_provider_that_loads_may_answer() -> None:
    assert await resolved(Watched(up("engine", "m", state="loading", reason="loading")), None) == "engine/m"


@pytest.mark.parametrize("name", [None, "auto"])
async def test_the_settings_may_name_the_default(name: str | None) -> None:
    assert await resolved(Watched(up("a", "m1", "m2")), name, default="m2") == "a/m2"
    assert await resolved(Watched(up("a", "m1", "m2")), name, default="a/other") == "a/other"


async def test_the_default_may_be_an_alias() -> None:
    assert await resolved(Watched(up("a", "m1", "m2")), None, default="fast", fast="a/m2") == "a/m2"


async def test_an_alias_may_mean_auto_and_auto_may_be_an_alias() -> None:
    assert await resolved(Watched(up("a", "m1", "m2")), "gpt-4o", **{"gpt-4o": "auto"}) == "a/m1"
    assert await resolved(Watched(up("a", "m1", "m2")), None, auto="m2") == "a/m2"


async def test_a_demonstration_answers_only_as_the_last_resort() -> None:
    assert await resolved(Watched(up("scripts", DEMO), up("b", "m")), None) == "b/m"
    assert await resolved(Watched(up("scripts", DEMO), down("b", "m")), None) == "scripts/demo"


async def test_auto_waits_for_the_first_look_before_it_takes_a_demonstration() -> None:
    watched = Watched(up("scripts", DEMO), up("b", state="loading"))
    watched.found = [up("b", "m")]
    assert await resolved(watched, None) == "b/m"


async def test_a_demonstration_that_is_named_does_not_wait() -> None:
    watched = Watched(up("scripts", DEMO))
    assert await resolved(watched, "demo") == "scripts/demo"
    assert await resolved(watched, "scripts/demo") == "scripts/demo"
    assert watched.looks == 0


# Names.


async def test_a_bare_name_serves_where_one_provider_has_it() -> None:
    watched = Watched(up("a", "m1"), up("b", "m2"))
    assert await resolved(watched, "m2") == "b/m2"
    assert watched.looks == 0


@pytest.mark.parametrize("name", ["llama3.2", "llama3.2:latest", "box/llama3.2", "box/llama3.2:latest"])
async def test_a_name_without_a_tag_means_the_latest(name: str) -> None:
    assert await resolved(Watched(up("box", "llama3.2:latest", "llama3.2:1b")), name) == "box/llama3.2:latest"


async def test_a_bare_name_may_have_slashes() -> None:
    assert await resolved(Watched(up("a", "meta-llama/Llama-3")), "meta-llama/Llama-3") == "a/meta-llama/Llama-3"


async def test_the_first_segment_names_a_provider_if_there_is_one_of_that_name() -> None:
    watched = Watched(up("meta-llama", "x"), up("a", "meta-llama/Llama-3"))
    assert await resolved(watched, "meta-llama/Llama-3") == "meta-llama/Llama-3"
    assert await resolved(watched, "a/meta-llama/Llama-3") == "a/meta-llama/Llama-3"


async def test_a_model_that_is_not_listed_is_passed_through_with_its_provider() -> None:
    watched = Watched(up("a", "m1"), down("b"))
    target = await Catalogue(watched).resolve("b/brand/new:12b")
    assert (target.provider.name, target.model, target.can_continue) == ("b", "brand/new:12b", False)


async def test_a_target_knows_what_its_model_can() -> None:
    watched = Watched(up("a", Model(name="m", can_continue=True)))
    for name in ("m", "a/m", None):
        target = await Catalogue(watched).resolve(name)
        assert target == Target(watched.known[0].provider, "m", can_continue=True)


async def test_a_provider_without_a_model_is_no_name() -> None:
    assert "There is no model 'a/'." in await refused(Watched(up("a", "m1")), "a/")


async def test_an_alias_stands_for_its_model() -> None:
    watched = Watched(up("box", "a"), up("other", "gemma3:12b"))
    assert await resolved(watched, "gemma3:12b", **{"gemma3:12b": "box/a"}) == "box/a"
    assert await resolved(watched, "short", short="gemma3:12b") == "other/gemma3:12b"


async def test_a_name_of_several_providers_must_be_told_apart() -> None:
    message = await refused(Watched(up("a", "m"), down("b", "m"), up("c", "n")), "m")
    assert message == "Several providers have a model 'm'. Name one of: a/m, b/m."


async def test_a_model_of_a_provider_that_is_down_is_still_its_own() -> None:
    assert await resolved(Watched(down("a", "m"), up("b", "n")), "m") == "a/m"


async def test_a_name_that_is_not_known_yet_waits_for_the_first_look() -> None:
    watched = Watched(up("a", state="loading"))
    watched.found = [up("a", "m")]
    assert await resolved(watched, "m") == "a/m"


async def test_a_name_that_was_unknown_once_is_looked_for_again() -> None:
    watched = Watched(up("a"))
    catalogue = Catalogue(watched)
    with pytest.raises(ProviderError):
        await catalogue.resolve("m")
    watched.known = [up("a", "m")]
    assert (await catalogue.resolve("m")).id == "a/m"


# What is said where there is none.


@pytest.mark.parametrize(("asked", "nearest"), [("lama3", "llama3"), ("box/llama-3", "box/llama3"), ("gema", "gemma")])
async def test_an_unknown_name_is_told_the_nearest(asked: str, nearest: str) -> None:
    message = await refused(Watched(up("box2", "llama3", "gemma"), up("bax", "llama3")), asked)
    assert message.startswith(f"There is no model {asked!r}. Did you mean ")
    assert nearest.rpartition("/")[2] in message


async def test_a_name_like_no_other_is_told_where_the_list_is() -> None:
    message = await refused(Watched(up("box", "llama3")), "zzzzzz")
    assert message == "There is no model 'zzzzzz'. GET /api/v1/models lists those that there are."


async def test_an_unknown_name_is_told_which_providers_are_not_up() -> None:
    watched = Watched(up("a", "m"), down("b", reason="refused"), up("c", state="loading", reason="loading x.gguf"))
    assert (await refused(watched, "zzz")).endswith(" Down: b (refused). Loading: c (loading x.gguf).")


@pytest.mark.parametrize("name", [None, "m"])
async def test_where_no_provider_lists_any_model_their_reasons_are_told(name: str | None) -> None:
    message = await refused(Watched(down("a", reason="connection refused"), down("b", reason="bad key")), name)
    assert message.endswith("No model can answer now. Down: a (connection refused); b (bad key).")


@pytest.mark.parametrize("name", [None, "m"])
async def test_where_no_provider_is_set_up_the_remedy_is_told(name: str | None) -> None:
    message = await refused(Watched(), name)
    assert "No model is set up. Start with MODEL=file.gguf" in message
    assert message.endswith("or add a provider to the settings.")


async def test_models_of_providers_that_are_down_do_not_answer_to_auto() -> None:
    message = await refused(Watched(down("a", "m", reason="refused")), None)
    assert message == "No model can answer now. Down: a (refused)."


# Providers that are off.


async def test_a_provider_that_is_off_says_why_where_it_is_named() -> None:
    watched = Watched(up("engine", state="off", reason="it needs xllamacpp"), up("b", "m"))
    assert await refused(watched, "engine/m") == (
        "There is no model 'engine/m'. The provider engine: it needs xllamacpp"
    )
    assert await resolved(watched, "m") == "b/m"


async def test_a_provider_that_is_off_takes_no_name_from_others() -> None:
    watched = Watched(up("studio", "openai/gpt-oss-20b"), up("openai", state="off", reason="why"))
    assert await resolved(watched, "openai/gpt-oss-20b") == "studio/openai/gpt-oss-20b"
    assert "The provider openai: why" in await refused(watched, "openai/gpt-5")


async def test_a_provider_that_is_off_does_not_answer_to_auto() -> None:
    message = await refused(Watched(up("engine", "m", state="off", reason="why")), None)
    assert message == "No model can answer now. Off: engine; GET /api/v1/providers says why."


# Looking without waiting, and listing.


def test_known_does_not_wait() -> None:
    watched = Watched(up("a"))
    watched.found = [up("a", "m")]
    catalogue = Catalogue(watched)
    assert catalogue.known("m") is None
    assert catalogue.known(None) is None
    assert catalogue.known("a/m") is not None
    assert watched.looks == 0


def test_every_model_is_listed_with_the_state_of_its_provider() -> None:
    known = [up("a", Model(name="x/m", context_length=8, can_continue=True)), down("b", DEMO, reason="no")]
    catalogue = Catalogue(Watched(*known))
    assert catalogue.entries() == [
        Entry("a/x/m", "x/m", "a", "up", None, 8, can_continue=True, demonstration=False),
        Entry("b/demo", "demo", "b", "down", "no", None, can_continue=True, demonstration=True),
    ]
    assert list(catalogue.health()) == known
