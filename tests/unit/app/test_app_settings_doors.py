"""The tables of the doors, `[doors.NAME]`."""

from pathlib import Path

import pytest

from headrace.app.settings import DOORS, Door, Settings, load
from headrace.core.errors import SettingsError


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def loaded(text: str = "", environ: dict[str, str] | None = None) -> Settings:
    """Return the settings of a file with this text, and an environment."""
    config = Path("headrace.toml")
    config.write_text(text)
    return load(config=config, environ=environ or {})


def test_callers_who_leave_stop_their_answers_unless_it_is_said_otherwise() -> None:
    assert loaded().doors == {}
    assert Door().on_disconnect == "stop"


@pytest.mark.parametrize("name", DOORS)
def test_every_door_has_a_table(name: str) -> None:
    assert loaded(f'[doors.{name}]\non_disconnect = "detach"').doors == {name: Door(on_disconnect="detach")}
    assert loaded(f'doors = {{ {name} = {{ on_disconnect = "detach" }} }}').doors[name].on_disconnect == "detach"
    assert loaded(f"[doors.{name}]").doors == {name: Door()}


def test_the_environment_beats_the_file_for_each_door_alone() -> None:
    text = '[doors.tutor]\non_disconnect = "detach"\n[doors.relay]\non_disconnect = "detach"'
    doors = loaded(text, {"HEADRACE_DOORS_TUTOR_ON_DISCONNECT": "stop"}).doors
    assert {name: door.on_disconnect for name, door in doors.items()} == {"tutor": "stop", "relay": "detach"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[doors.tutor]\non_disconect = "stop"',
            "[doors.tutor] on_disconect: no such key; the nearest is on_disconnect",
        ),
        ('[doors.tutr]\non_disconnect = "stop"', "[doors.tutr]: no such door 'tutr'; the nearest is tutor"),
        ('[doors.tutor]\non_disconnect = "wait"', "[doors.tutor] on_disconnect: expected"),
        ("[doors]\ntutor = 5", "[doors.tutor]: a door has a table, as [doors.tutor]"),
        ("doors = 5", "stands in no section"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(text)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("HEADRACE_DOORS_TUTR_ON_DISCONNECT", "no such door 'tutr'"),
        ("HEADRACE_DOORS_TUTOR_ON_DISCONECT", "no such key; the nearest is on_disconnect"),
        ("HEADRACE_DOORS_TUTOR", "no such key; the nearest is on_disconnect"),
        ("HEADRACE_DOORS", "no such door ''"),
    ],
)
def test_a_variable_that_names_nothing_is_refused_by_its_name(name: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        loaded(environ={name: "stop"})
    assert refused.value.message.startswith(f"environment, {name}: {words}")
