from pathlib import Path

import pytest

from headrace.app.sources import Names, from_environment, from_file, from_flags, read_dotenv
from headrace.app.values import Given
from headrace.core.errors import SettingsError

NAMES = Names(
    sections={"server": {"host", "port", "data_dir"}, "runs": {"max", "idle_timeout_s"}},
    provider_keys={"kind", "base_url", "api_key", "api_key_env"},
    providers={"box", "my-box"},
)


def written(folder: Path, text: str) -> Path:
    path = folder / "headrace.toml"
    path.write_text(text, encoding="utf-8")
    return path


def path_of(variable: str, names: Names = NAMES) -> tuple[str, ...]:
    (given,) = from_environment({variable: "x"}, names, "environment")
    return given.path


def test_a_file_gives_every_key_with_the_place_where_it_stands(tmp_path: Path) -> None:
    path = written(tmp_path, '[runs]\nmax = 3\n[providers.box]\nkind = "openai"\n')
    assert from_file(path) == [
        Given(("runs",), {"max": 3}, f"{path}, [runs]"),
        Given(("runs", "max"), 3, f"{path}, [runs] max"),
        Given(("providers",), {"box": {"kind": "openai"}}, f"{path}, [providers]"),
        Given(("providers", "box"), {"kind": "openai"}, f"{path}, [providers.box]"),
        Given(("providers", "box", "kind"), "openai", f"{path}, [providers.box] kind"),
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read: No such file"):
        from_file(tmp_path / "none.toml")


@pytest.mark.parametrize("content", [b"[runs\n", b'[runs]\nmax = "\xff"\n'])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "headrace.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"headrace\.toml: is not TOML"):
        from_file(path)


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("HEADRACE_PORT", ("server", "port")),
        ("HEADRACE_SERVER_DATA_DIR", ("server", "data_dir")),
        ("HEADRACE_RUNS_IDLE_TIMEOUT_S", ("runs", "idle_timeout_s")),
        ("HEADRACE_MODEL", ("model",)),
        ("HEADRACE_PROVIDERS_BOX_API_KEY_ENV", ("providers", "box", "api_key_env")),
        ("HEADRACE_PROVIDERS_MY_BOX_API_KEY", ("providers", "my-box", "api_key")),
        ("HEADRACE_PROVIDERS_MY_OTHER_BASE_URL", ("providers", "my_other", "base_url")),
        ("HEADRACE_PROVIDERS_BOX_TWO_KIND", ("providers", "box_two", "kind")),
    ],
)
def test_a_variable_names_a_key(variable: str, path: tuple[str, ...]) -> None:
    assert path_of(variable) == path


@pytest.mark.parametrize(
    ("variable", "likely"),
    [
        ("HEADRACE_PROT", "the nearest is HEADRACE_PORT"),
        ("HEADRACE_RUNS_MAXIMUM", "the nearest is HEADRACE_RUNS_MAX"),
        ("HEADRACE_RUNS", "the nearest is HEADRACE_RUNS_MAX"),
        ("HEADRACE_PROVIDERS_BOX_KINDS", "the nearest is kind"),
        ("HEADRACE_PROVIDERS_KIND", "the nearest is kind"),
    ],
)
def test_a_variable_that_names_no_key_is_refused_with_the_nearest(variable: str, likely: str) -> None:
    with pytest.raises(SettingsError) as caught:
        path_of(variable)
    assert caught.value.message.startswith(f"environment, {variable}: no such")
    assert caught.value.message.endswith(likely)


def test_a_variable_that_fits_two_providers_is_refused() -> None:
    names = Names(sections={"server": set()}, provider_keys={"kind"}, providers={"my-box", "my_box"})
    with pytest.raises(SettingsError, match="HEADRACE_PROVIDERS_MY_BOX_KIND: fits several providers"):
        path_of("HEADRACE_PROVIDERS_MY_BOX_KIND", names)


def test_the_variable_with_the_section_comes_after_the_one_without() -> None:
    given = from_environment({"HEADRACE_SERVER_PORT": "2", "HEADRACE_PORT": "1"}, NAMES, "environment")
    assert [one.value for one in given] == ["1", "2"]


def test_empty_variables_and_those_of_others_are_no_settings() -> None:
    variables = {"HEADRACE_PORT": "", "HEADRACE_URL": "http://x", "HEADRACE_TOKEN": "t", "PORT": "9", "PATH": "/bin"}
    assert from_environment(variables, NAMES, "environment") == []


def test_dotenv_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# a comment\nHEADRACE_PORT=8001\nBOX_KEY='sk-1'\nbare\n", encoding="utf-8")
    assert read_dotenv(tmp_path) == {"HEADRACE_PORT": "8001", "BOX_KEY": "sk-1"}


def test_a_folder_without_dotenv_gives_nothing(tmp_path: Path) -> None:
    assert read_dotenv(tmp_path) == {}


def test_a_dotenv_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"KEY=\xff\n")
    with pytest.raises(SettingsError, match=r"\.env: cannot be read"):
        read_dotenv(tmp_path)


def test_flags_are_keys_of_the_server_and_the_model() -> None:
    assert from_flags({"port": 8001, "data_dir": Path("d"), "host": None, "model": "a.gguf"}) == [
        Given(("server", "port"), "8001", "--port", is_text=True),
        Given(("server", "data_dir"), "d", "--data-dir", is_text=True),
        Given(("model",), "a.gguf", "--model", is_text=True),
    ]
