from pathlib import Path

import pytest

from headrace.app.finding import wanted
from headrace.app.settings import Models, Settings, load

BOX = '[providers.box]\nkind = "openai"\nbase_url = "{url}"\n'


def settings(tmp_path: Path, text: str = "", **environ: str) -> Settings:
    config = tmp_path / "headrace.toml"
    config.write_text(text, encoding="utf-8")
    data = tmp_path / "data"
    data.mkdir()
    return load(config=config, environ=environ, flags={"data_dir": data})


def test_all_that_the_settings_do_not_name_may_be_found(tmp_path: Path) -> None:
    found = wanted(settings(tmp_path, GROQ_API_KEY="k", OPENAI_API_KEY="k"))
    assert found.ports == Models().discovery_ports
    assert found.services == ("groq", "openai")
    assert (found.folder, found.elsewhere, found.max_loaded) == (tmp_path / "data" / "models", (), 2)


def test_without_discovery_only_the_own_folder_is_looked_into(tmp_path: Path) -> None:
    found = wanted(settings(tmp_path, "[models]\ndiscovery = false\nmax_loaded = 3\n", OPENAI_API_KEY="k"))
    assert (found.ports, found.services) == ({}, ())
    assert (found.folder, found.max_loaded) == (tmp_path / "data" / "models", 3)


def test_where_ollamas_api_stands_alone_no_ollama_is_looked_for(tmp_path: Path) -> None:
    found = wanted(settings(tmp_path, "[server]\nollama_port = 11434\n"))
    assert set(found.ports) == {"llamacpp", "lmstudio"}


@pytest.mark.parametrize("name", ["llamacpp", "lmstudio", "ollama"])
def test_a_name_of_the_settings_is_theirs(tmp_path: Path, name: str) -> None:
    found = wanted(settings(tmp_path, BOX.format(url="http://10.0.0.1:9/v1").replace("box", name)))
    assert set(found.ports) == {"llamacpp", "lmstudio", "ollama"} - {name}


def test_a_name_that_the_settings_switch_off_is_not_looked_for(tmp_path: Path) -> None:
    found = wanted(settings(tmp_path, "[providers.openai]\nenabled = false\n", OPENAI_API_KEY="k"))
    assert found.services == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
def test_an_address_of_the_settings_is_theirs(tmp_path: Path, host: str) -> None:
    assert set(wanted(settings(tmp_path, BOX.format(url=f"http://{host}:8080/v1"))).ports) == {"lmstudio", "ollama"}


def test_the_same_port_elsewhere_is_another_address(tmp_path: Path) -> None:
    assert "llamacpp" in wanted(settings(tmp_path, BOX.format(url="http://10.0.0.1:8080/v1"))).ports


def test_an_address_that_makes_no_sense_hides_nothing(tmp_path: Path) -> None:
    assert len(wanted(settings(tmp_path, BOX.format(url="what is this"))).ports) == 3


def test_the_servers_own_port_is_not_looked_at(tmp_path: Path) -> None:
    assert "llamacpp" not in wanted(settings(tmp_path, "[server]\nport = 8080\n")).ports


def test_a_service_that_the_settings_use_under_another_name_is_not_shown_again(tmp_path: Path) -> None:
    text = BOX.format(url="https://api.openai.com/v1") + 'api_key_env = "OPENAI_API_KEY"\n'
    assert wanted(settings(tmp_path, text, OPENAI_API_KEY="k", GROQ_API_KEY="k")).services == ("groq",)


def test_files_of_the_settings_are_theirs(tmp_path: Path) -> None:
    found = wanted(settings(tmp_path, '[providers.mine]\nkind = "embedded"\npath = "a.gguf"\n'))
    assert found.elsewhere == (Path("a.gguf"),)


def test_a_provider_named_local_takes_the_place_of_the_folder(tmp_path: Path) -> None:
    assert wanted(settings(tmp_path, '[providers.local]\nkind = "scripted"\n')).folder is None


def test_asking_what_may_be_found_changes_nothing(tmp_path: Path) -> None:
    given = settings(tmp_path)
    wanted(given)
    assert list((tmp_path / "data").iterdir()) == []
