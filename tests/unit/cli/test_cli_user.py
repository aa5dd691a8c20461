import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.cli.main import main


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data-dir", "data"])


def test_the_first_user_is_an_admin() -> None:
    head, row = ran("user", "list").stdout.splitlines()
    assert re.split(r" {2,}", head) == ["NAME", "ROLE", "STATE", "PASSPHRASE", "ADDED"]
    assert re.split(r" {2,}", row)[:4] == ["local", "admin", "enabled", "-"]


def test_users_are_added_as_members_unless_said_otherwise() -> None:
    assert ran("user", "add", "ada").stderr == "ada: member, enabled.\n"
    assert ran("user", "add", "grace", "--role", "admin").stderr == "grace: admin, enabled.\n"
    found = json.loads(ran("user", "list", "--json").stdout)
    assert [(each["name"], each["role"]) for each in found] == [
        ("local", "admin"),
        ("ada", "member"),
        ("grace", "admin"),
    ]


def test_a_user_is_changed_in_one_thing_and_keeps_the_other() -> None:
    ran("user", "add", "ada")
    assert ran("user", "change", "ada", "--disable").stderr == "ada: member, disabled.\n"
    assert ran("user", "change", "ada", "--role", "admin").stderr == "ada: admin, disabled.\n"
    assert ran("user", "change", "ada", "--enable").stderr == "ada: admin, enabled.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "local"),
        ("add", "ada", "--role", "king"),
        ("change", "local"),
        ("change", "nobody", "--disable"),
        ("change", "local", "--disable"),
        ("change", "local", "--role", "member"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(arguments: tuple[str, ...]) -> None:
    result = ran("user", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    (only,) = json.loads(ran("user", "list", "--json").stdout)
    assert (only["name"], only["role"], only["disabled_at"]) == ("local", "admin", None)
