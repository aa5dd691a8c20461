import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.app.folder import held
from headrace.cli.main import main

TOKEN = re.compile(r"hr_[A-Za-z0-9_-]{43}\n")


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--data-dir", "data"])


def listed() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(ran("token", "list", "--json").stdout)
    return found


def test_a_token_stands_alone_on_standard_output_and_is_told_once() -> None:
    made = ran("token", "create", "laptop")
    assert made.exit_code == 0, made.output
    assert TOKEN.fullmatch(made.stdout)
    assert made.stderr.startswith("Token 1 of local. It is not shown again")
    assert "hr_" not in made.stderr
    for shown in (ran("token", "list").stdout, ran("token", "list", "--json").stdout):
        assert "laptop" in shown
        assert made.stdout.strip() not in shown


def test_the_data_folder_never_has_the_token_itself() -> None:
    secret = ran("token", "create", "laptop").stdout.strip().encode()
    for path in Path("data").iterdir():
        assert secret not in path.read_bytes(), path


def test_a_token_may_be_kept_to_scopes_and_to_a_time() -> None:
    ran("token", "create", "all")
    ran("token", "create", "some", "--scope", "models", "--scope", "chat", "--expires", "1d")
    whole, some = listed()
    assert (whole["scopes"], whole["expires_at"]) == (None, None)
    assert set(some["scopes"]) == {"chat", "models"}  # type: ignore[call-overload]
    assert some["expires_at"] - some["created_at"] == pytest.approx(86_400_000, abs=60_000)  # type: ignore[operator]


def test_the_list_says_whose_each_is_and_whether_it_holds() -> None:
    ran("user", "add", "ada")
    ran("token", "create", "one")
    ran("token", "create", "two", "--user", "ada")
    ran("token", "create", "three")
    ran("token", "revoke", "3")
    ran("user", "change", "ada", "--disable")
    lines = ran("token", "list").stdout.splitlines()
    assert lines[0].split("  ")[0] == "ID"
    assert [re.split(r" {2,}", line)[i] for line in lines[1:] for i in (1, 2, -1)] == [
        *("local", "one", "valid"),
        *("ada", "two", "user disabled"),
        *("local", "three", "revoked"),
    ]


def test_without_tokens_the_way_to_one_is_told() -> None:
    result = ran("token", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "headrace token create NAME" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "laptop", "--user", "nobody"),
        ("create", "laptop", "--scope", "everything"),
        ("create", "laptop", "--expires", "soon"),
        ("revoke", "7"),
        ("revoke", "laptop"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(arguments: tuple[str, ...]) -> None:
    result = ran("token", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr
    assert listed() == []


def test_a_server_that_runs_is_no_hindrance() -> None:
    ran("user", "list")
    with held(Path("data")):
        assert TOKEN.fullmatch(ran("token", "create", "laptop").stdout)


def test_a_folder_without_a_database_is_left_to_the_server_that_holds_it() -> None:
    with held(Path("data")):
        result = ran("token", "create", "laptop")
    assert result.exit_code == 2
    assert "Another Headrace uses the data folder" in result.stderr
