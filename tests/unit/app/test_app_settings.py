from pathlib import Path
from typing import Any

import msgspec
import pytest

from headrace.access.limits import LimitSettings
from headrace.app import settings
from headrace.app.settings import Settings, load
from headrace.core.errors import SettingsError
from headrace.providers import registry


class Box(msgspec.Struct, frozen=True, kw_only=True):
    base_url: str
    api_key: str | None = None
    models: tuple[str, ...] | None = None


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    slots: int = 1


KINDS: dict[str, type[msgspec.Struct]] = {"openai": Box, "embedded": Engine}
BOX = '[providers.box]\nkind = "openai"\nbase_url = "http://127.0.0.1:9100/v1"\n'


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str = "", environ: dict[str, str] | None = None, **flags: Any) -> Settings:
    """Return the settings of a file with this text, an environment and flags."""
    config = Path("headrace.toml")
    config.write_text(text, encoding="utf-8")
    return load(kinds=KINDS, config=config, environ=environ or {}, flags=flags)


def refusal(text: str = "", environ: dict[str, str] | None = None, **flags: Any) -> str:
    """Return why such settings are refused."""
    with pytest.raises(SettingsError) as caught:
        loaded(text, environ, **flags)
    return caught.value.message


def test_without_any_source_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/home/ada/data")
    given = load(kinds=KINDS, environ={})
    assert given == Settings()
    assert (given.server.host, given.server.port) == ("127.0.0.1", 8000)
    assert given.server.data_dir == Path("/home/ada/data/headrace")
    assert (given.server.drain_s, given.runs.max, given.runs.first_token_timeout_s) == (10, 2000, 600)
    assert (given.runs.idle_timeout_s, given.runs.side_timeout_s) == (120, 5)
    assert (given.journal.sync, given.journal.keep_days, given.models.default) == ("normal", None, "auto")


def test_data_lies_in_the_home_folder_where_xdg_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert load(kinds=KINDS, environ={}).server.data_dir == Path("/home/ada/.local/share/headrace")


def test_each_section_of_the_file_is_read() -> None:
    given = loaded(
        '[server]\nport = 8001\n[runs]\nmax = 3\n[journal]\nsync = "full"\nkeep_days = 7\n'
        '[models]\ndefault = "box/a"\naliases = { "gemma3:12b" = "box/a" }\n' + BOX
    )
    assert (given.server.port, given.runs.max, given.journal.sync, given.journal.keep_days) == (8001, 3, "full", 7)
    assert (given.models.default, given.models.aliases) == ("box/a", {"gemma3:12b": "box/a"})
    assert given.providers == {
        "box": settings.Provider(kind="openai", settings=Box(base_url="http://127.0.0.1:9100/v1"))
    }


def test_each_source_beats_the_one_before_it() -> None:
    Path(".env").write_text("HEADRACE_PORT=2\nHEADRACE_RUNS_MAX=2\nHEADRACE_DRAIN_S=2\n", encoding="utf-8")
    given = loaded(
        "[server]\nport = 1\ndrain_s = 1\nmax_body_bytes = 2048\n[runs]\nmax = 1\n",
        {"HEADRACE_PORT": "3", "HEADRACE_RUNS_MAX": "3"},
        port=4,
    )
    assert (given.server.port, given.runs.max, given.server.drain_s, given.server.max_body_bytes) == (4, 3, 2, 2048)


def test_dotenv_lies_beside_the_file() -> None:
    folder = Path("etc")
    folder.mkdir()
    (folder / ".env").write_text("HEADRACE_PORT=8001\n", encoding="utf-8")
    (folder / "headrace.toml").write_text("", encoding="utf-8")
    assert load(kinds=KINDS, config=folder / "headrace.toml", environ={}).server.port == 8001


def test_without_a_file_dotenv_is_that_of_the_working_directory() -> None:
    Path(".env").write_text("HEADRACE_PORT=8001\n", encoding="utf-8")
    assert load(kinds=KINDS, environ={}).server.port == 8001


def test_a_wrong_value_is_refused_also_where_another_hides_it() -> None:
    message = refusal('[server]\nport = "http"\n', port=8001)
    assert message == "headrace.toml, [server] port: expected a whole number from 0 to 65535, not 'http'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\nprt = 1\n", "headrace.toml, [server] prt: no such key; the nearest is port"),
        ("[run]\nmax = 1\n", "headrace.toml, [run]: no such section; the nearest is [runs]"),
        ("[run]\n", "headrace.toml, [run]: no such section; the nearest is [runs]"),
        ("port = 1\n", "headrace.toml, port: stands in no section; the nearest setting is [server] port"),
        ("runs = 1\n", "headrace.toml, runs: stands in no section"),
        (BOX + 'url = ""\n', "headrace.toml, [providers.box] url: no such key; the nearest is base_url"),
        ("[providers]\nbox = 1\n", "headrace.toml, [providers.box]: a provider is a table, as [providers.box]"),
    ],
)
def test_an_unknown_key_is_named_with_its_place_and_the_nearest(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_an_unknown_variable_is_named_with_the_nearest() -> None:
    message = refusal(environ={"HEADRACE_RUNS_MAXIMUM": "1"})
    assert message == "environment, HEADRACE_RUNS_MAXIMUM: no such setting; the nearest is HEADRACE_RUNS_MAX"


def test_an_unknown_variable_of_dotenv_is_named_as_such() -> None:
    Path(".env").write_text("HEADRACE_PROT=1\n", encoding="utf-8")
    assert refusal().startswith(".env, HEADRACE_PROT: no such setting")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[journal]\nkeep_days = 0\n", "[journal] keep_days"),
        ('[journal]\nsync = "off"\n', "[journal] sync"),
        ("[runs]\nidle_timeout_s = 0\n", "[runs] idle_timeout_s"),
        ("[runs]\nmax = 1.5\n", "[runs] max"),
        ('[models]\ndefault = ""\n', "[models] default"),
        ("[models]\naliases = { a = 1 }\n", "[models] aliases"),
        ("[server]\ndata_dir = 1\n", "[server] data_dir"),
        ("[server]\nmax_body_bytes = 1\n", "[server] max_body_bytes"),
    ],
)
def test_a_value_of_the_wrong_type_or_out_of_range_is_refused(text: str, place: str) -> None:
    assert refusal(text).startswith(f"headrace.toml, {place}: expected ")


def test_a_port_for_ollamas_api_is_none_unless_it_is_named() -> None:
    assert loaded().server.ollama_port is None
    assert loaded("[server]\nollama_port = 11434\n").server.ollama_port == 11434
    assert refusal("[server]\nollama_port = 0\n").startswith("headrace.toml, [server] ollama_port: expected ")


@pytest.mark.parametrize("kind", settings.UNAVAILABLE["kinds"])
def test_a_kind_of_a_later_version_is_refused_by_name(kind: str) -> None:
    message = refusal(f'[providers.box]\nkind = "{kind}"\n')
    assert message == (
        f"headrace.toml, [providers.box] kind: the kind {kind} is not available yet; these are: `embedded`, `openai`"
    )


def test_access_is_off_and_nothing_is_limited_unless_the_settings_say_so() -> None:
    given = loaded()
    assert given.server.access is False
    assert given.limits == LimitSettings()
    assert set(msgspec.structs.asdict(given.limits).values()) == {None}


def test_who_may_is_read_from_the_file() -> None:
    given = loaded(
        '[server]\nhost = "0.0.0.0"\naccess = true\npublic_url = "https://chat.example/"\n'
        'allowed_hosts = ["chat.lan", "192.168.1.2"]\nallowed_origins = ["https://tools.example"]\n'
        'trusted_proxies = ["127.0.0.1", "10.0.0.0/8"]\n[limits]\nrequests_per_minute = 60\ntokens_per_day_all = 9\n'
    )
    server = given.server
    assert (server.host, server.access, server.public_url) == ("0.0.0.0", True, "https://chat.example/")
    assert server.allowed_hosts == ("chat.lan", "192.168.1.2")
    assert server.allowed_origins == ("https://tools.example",)
    assert server.trusted_proxies == ("127.0.0.1", "10.0.0.0/8")
    assert given.limits == LimitSettings(requests_per_minute=60, tokens_per_day_all=9)


def test_who_may_is_read_from_the_environment() -> None:
    given = loaded(
        environ={
            "HEADRACE_SERVER_ACCESS": "true",
            "HEADRACE_ALLOWED_HOSTS": "chat.lan, ::1",
            "HEADRACE_LIMITS_STREAMS": "4",
        }
    )
    assert (given.server.access, given.server.allowed_hosts, given.limits.streams) == (True, ("chat.lan", "::1"), 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[limits]\nstreams = 0\n", "[limits] streams: expected a whole number from 1 to 1000000, not 0"),
        ("[limits]\ntokens_per_day = 0\n", "[limits] tokens_per_day: expected a whole number from 1 to "),
        ("[limits]\nrequests = 1\n", "[limits] requests: no such key; the nearest is requests_per_minute"),
        ('[server]\naccess = "perhaps"\n', "[server] access: expected true or false"),
        ('[server]\nallowed_hosts = ["a.example:80"]\n', "[server] allowed_hosts: expected names or addresses"),
    ],
)
def test_who_may_and_how_much_is_checked(text: str, message: str) -> None:
    assert refusal(text).startswith(f"headrace.toml, {message}")


def test_a_provider_may_stand_in_the_environment_alone() -> None:
    given = loaded(
        environ={
            "HEADRACE_PROVIDERS_BOX_KIND": "openai",
            "HEADRACE_PROVIDERS_BOX_BASE_URL": "http://127.0.0.1:9100/v1",
            "HEADRACE_PROVIDERS_BOX_MODELS": "a, b",
        }
    )
    assert given.providers["box"].settings == Box(base_url="http://127.0.0.1:9100/v1", models=("a", "b"))


def test_the_environment_changes_one_key_of_a_provider() -> None:
    given = loaded(BOX, {"HEADRACE_PROVIDERS_BOX_BASE_URL": "http://127.0.0.1:9200/v1"})
    assert given.providers["box"].settings == Box(base_url="http://127.0.0.1:9200/v1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[providers.box]\n", "headrace.toml, [providers.box]: the provider box needs `kind`: `embedded`, `openai`"),
        ('[providers.box]\nkind = "opnai"\n', "[providers.box] kind: no such kind 'opnai'; the nearest is openai"),
        ('[providers.box]\nkind = "openai"\n', "[providers.box] kind: the provider box also needs `base_url`"),
        ('[providers."a/b"]\nkind = "openai"\n', "[providers.a/b]: a provider's name is made of letters, digits"),
        (BOX + "models = 1\n", "[providers.box] models: expected a list, each text, not 1"),
    ],
)
def test_a_provider_that_lacks_something_is_refused_with_the_remedy(text: str, message: str) -> None:
    assert message in refusal(text)


def test_a_key_is_taken_from_the_variable_that_the_provider_names() -> None:
    provider = loaded(BOX + 'api_key_env = "BOX_KEY"\n', {"BOX_KEY": "sk-1"}).providers["box"]
    assert provider.settings == Box(base_url="http://127.0.0.1:9100/v1", api_key="sk-1")
    assert provider.missing is None


def test_a_key_may_stand_in_dotenv_and_the_environment_beats_it() -> None:
    Path(".env").write_text("BOX_KEY=sk-file\nOTHER_KEY=sk-other\n", encoding="utf-8")
    text = BOX + 'api_key_env = "BOX_KEY"\n' + BOX.replace("box", "other") + 'api_key_env = "OTHER_KEY"\n'
    given = loaded(text, {"BOX_KEY": "sk-process"})
    url = "http://127.0.0.1:9100/v1"
    assert given.providers["box"].settings == Box(base_url=url, api_key="sk-process")
    assert given.providers["other"].settings == Box(base_url=url, api_key="sk-other")


@pytest.mark.parametrize("environ", [{}, {"BOX_KEY": ""}])
def test_a_variable_that_is_not_set_leaves_the_provider_without_a_key(environ: dict[str, str]) -> None:
    provider = loaded(BOX + 'api_key_env = "BOX_KEY"\n', environ).providers["box"]
    assert provider.missing == "BOX_KEY"
    assert provider.settings == Box(base_url="http://127.0.0.1:9100/v1")


def test_a_key_that_is_given_beats_the_name_of_one() -> None:
    provider = loaded(BOX + 'api_key_env = "BOX_KEY"\n', {"HEADRACE_PROVIDERS_BOX_API_KEY": "sk-2"}).providers["box"]
    assert provider.settings == Box(base_url="http://127.0.0.1:9100/v1", api_key="sk-2")
    assert provider.missing is None


OPENAI = Box(base_url="https://api.openai.com/v1", api_key="sk-1")


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("[providers.openai]\nenabled = true\n", {}),
        ("", {"HEADRACE_PROVIDERS_OPENAI_ENABLED": "true"}),
        ('[providers.openai]\nkind = "openai"\nbase_url = "https://api.openai.com/v1"\napi_key = "sk-1"\n', {}),
    ],
    ids=["file", "environment", "all"],
)
def test_a_known_service_needs_no_more_than_to_be_enabled(text: str, environ: dict[str, str]) -> None:
    given = loaded(text, {"OPENAI_API_KEY": "sk-1", **environ}).providers
    assert given == {"openai": settings.Provider(kind="openai", settings=OPENAI)}


def test_what_is_given_of_a_known_service_beats_what_is_known() -> None:
    text = '[providers.openai]\nenabled = true\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "MINE"\n'
    provider = loaded(text, {"OPENAI_API_KEY": "sk-1", "MINE": "sk-2"}).providers["openai"]
    assert provider.settings == Box(base_url="http://127.0.0.1:9/v1", api_key="sk-2")


def test_a_known_service_without_its_key_lacks_it_by_name() -> None:
    assert loaded("[providers.groq]\nenabled = true\n").providers["groq"].missing == "GROQ_API_KEY"


def test_a_provider_may_be_switched_off() -> None:
    provider = loaded(BOX + "enabled = false\n").providers["box"]
    assert (provider.enabled, provider.settings) == (False, Box(base_url="http://127.0.0.1:9100/v1"))
    assert loaded("[providers.lmstudio]\nenabled = false\n").providers["lmstudio"].enabled is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[providers.box]\nenabled = true\n", "the provider box needs `kind`"),
        ("[providers.openai]\n", "the provider openai needs `kind`"),
        ("[providers.anthropic]\nenabled = true\n", "enabled: the kind anthropic is not available yet"),
        (BOX + 'enabled = "perhaps"\n', "headrace.toml, [providers.box] enabled: expected true or false"),
    ],
)
def test_only_what_is_known_can_be_enabled(text: str, message: str) -> None:
    assert message in refusal(text)


def test_keys_in_the_environment_are_noted_by_name_and_never_kept() -> None:
    Path(".env").write_text("GROQ_API_KEY=sk-secret-1\n", encoding="utf-8")
    given = loaded(environ={"OPENAI_API_KEY": "sk-secret-2", "MISTRAL_API_KEY": ""})
    assert (given.found_keys, given.providers) == (("groq", "openai"), {})
    assert "sk-secret" not in repr(given)


def test_servers_are_looked_for_at_their_usual_ports_unless_the_settings_say_otherwise() -> None:
    assert loaded().models.discovery_ports == {"llamacpp": 8080, "lmstudio": 1234, "ollama": 11434}
    given = loaded(environ={"HEADRACE_MODELS_DISCOVERY": "false", "HEADRACE_MODELS_DISCOVERY_PORTS": '{"ollama": 9}'})
    assert (given.models.discovery, given.models.discovery_ports) == (False, {"ollama": 9})


@pytest.mark.parametrize("ports", ["{ olama = 1 }", "{ ollama = 0 }", '{ ollama = "127.0.0.1:1" }'])
def test_servers_are_looked_for_on_this_machine_only(ports: str) -> None:
    assert refusal(f"[models]\ndiscovery_ports = {ports}\n").startswith(
        "headrace.toml, [models] discovery_ports: expected a table with `llamacpp` or `lmstudio` or `ollama`, each value "
        "a whole number from 1 to 65535, not "
    )


def test_a_kind_without_a_key_has_no_variable_for_one() -> None:
    text = '[providers.mine]\nkind = "embedded"\npath = "a.gguf"\napi_key_env = "KEY"\n'
    assert "[providers.mine] api_key_env: no such key" in refusal(text)


def test_a_model_file_is_a_provider_of_its_own_and_answers(tmp_path: Path) -> None:
    path = tmp_path / "stories.gguf"
    path.touch()
    given = loaded('[models]\ndefault = "box/a"\n' + BOX, model=path)
    assert given.providers["embedded"] == settings.Provider(kind="embedded", settings=Engine(path=path))
    assert given.models.default == "embedded/stories"
    assert set(given.providers) == {"box", "embedded"}


def test_a_model_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "stories.gguf"
    path.touch()
    given = loaded(environ={"HEADRACE_MODEL": str(path), "HEADRACE_MODELS_DEFAULT": "box/a"})
    assert given.providers["embedded"].settings == Engine(path=path)
    assert given.models.default == "box/a"


def test_a_model_file_that_is_not_there_is_named() -> None:
    assert refusal(model="none.gguf") == "--model: there is no file none.gguf"


def test_the_kinds_are_those_of_the_registry() -> None:
    Path("headrace.toml").write_text(BOX + '[providers.demo]\nkind = "scripted"\n', encoding="utf-8")
    given = load(config=Path("headrace.toml"), environ={})
    assert isinstance(given.providers["box"].settings, registry.KINDS["openai"].settings)
    assert isinstance(given.providers["demo"].settings, registry.KINDS["scripted"].settings)


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_no_kind_is_both_there_and_not_available(kind: str) -> None:
    assert kind not in settings.UNAVAILABLE["kinds"]


def test_settings_can_be_logged_without_their_keys() -> None:
    Path("headrace.toml").write_text(BOX + 'api_key = "sk-secret"\n', encoding="utf-8")
    given = load(config=Path("headrace.toml"), environ={})
    assert msgspec.structs.asdict(given.providers["box"].settings)["api_key"] == "sk-secret"
    assert "sk-secret" not in repr(given)
