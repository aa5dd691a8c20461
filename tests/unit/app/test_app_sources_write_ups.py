"""The variables by which the replaced systems were set up."""

from pathlib import Path

import pytest

from headrace.app.settings import load
from headrace.core.errors import SettingsError

SSE = {"LLM_COMM_MODE": "sse"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, whose `.env` is read where no file of settings is named."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "streaming"), [("false", False), ("False", False), ("0", False), ("true", True), ("1", True), ("", True)]
)
def test_enable_streaming_is_a_boolean(text: str, *, streaming: bool) -> None:
    assert load(environ={"ENABLE_STREAMING": text}).streaming is streaming


def test_streaming_is_on_by_default() -> None:
    assert load(environ={}).streaming


def test_the_env_file_of_the_working_directory_is_read_and_the_environment_beats_it(folder: Path) -> None:
    (folder / ".env").write_text("ENABLE_STREAMING=false\nLLM_COMM_MODE=sse\nLLM_SERVER_URL=http://localhost:8080\n")
    settings = load(environ={})
    assert (settings.streaming, list(settings.providers)) == (False, ["lam"])
    assert load(environ={"ENABLE_STREAMING": "true"}).streaming


@pytest.mark.parametrize("url", ["http://lam:8080", "http://lam:8080/", "http://lam:8080/v1", "http://lam:8080/v1/"])
def test_the_studios_server_is_the_provider_lam(url: str) -> None:
    lam = load(environ={**SSE, "LLM_SERVER_URL": url}).providers["lam"]
    assert (lam.kind, getattr(lam.settings, "base_url", None)) == ("openai", "http://lam:8080/v1")


def test_the_studios_server_without_its_mode_is_nobody() -> None:
    assert load(environ={"LLM_SERVER_URL": "http://lam:8080"}).providers == {}


def test_more_may_be_said_of_the_provider_lam() -> None:
    environ = {**SSE, "LLM_SERVER_URL": "http://lam:8080", "HEADRACE_PROVIDERS_LAM_SLOTS": "1"}
    assert getattr(load(environ=environ).providers["lam"].settings, "slots", None) == 1


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ENABLE_STREAMING": "perhaps"}, "ENABLE_STREAMING: expected true or false"),
        (SSE, "LLM_SERVER_URL"),
        ({**SSE, "LLM_SERVER_URL": "localhost:8080"}, "LLM_SERVER_URL: Not a URL that can be called"),
        ({"LLM_COMM_MODE": "mqtt", "MQTT_BROKER_HOST": "broker"}, "the mode mqtt is not available yet; `sse` is"),
        ({"LLM_COMM_MODE": "pigeon"}, "LLM_COMM_MODE: expected `sse`"),
    ],
)
def test_what_cannot_be_is_refused_by_name(environ: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(environ=environ)
    assert words in refused.value.message
