import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.cli.main import main


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["invite", *arguments, "--data-dir", "data"])


def test_the_link_is_all_that_is_printed() -> None:
    result = ran("ada")
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"http://127\.0\.0\.1:8000/#signin=hri_[A-Za-z0-9_-]{43}\n", result.output)


def test_the_link_begins_with_where_people_find_the_server() -> None:
    Path("headrace.toml").write_text('[server]\npublic_url = "https://chat.example/"\n', encoding="utf-8")
    assert ran("ada", "--config", "headrace.toml").output.startswith("https://chat.example/#signin=hri_")


@pytest.mark.parametrize("arguments", [("ada", "--role", "king"), ("ada", "--expires", "never"), ("local",)])
def test_what_cannot_be_done_is_refused(arguments: tuple[str, ...]) -> None:
    result = ran(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
