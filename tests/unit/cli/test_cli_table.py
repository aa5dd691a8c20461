import json

import pytest

from headrace.cli.table import print_json, print_table


def test_columns_stand_below_their_heads(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "NAME"), [("1", "laptop"), ("12", "")])
    assert capsys.readouterr().out == "ID  NAME\n1   laptop\n12\n"


def test_what_a_terminal_would_obey_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME",), [("a\x1b[2Jb\nc",)])
    assert capsys.readouterr().out == "NAME\na\\x1b[2Jb c\n"


def test_json_says_the_same_and_has_no_command_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_json([{"name": "a\x9bb"}])
    out = capsys.readouterr().out
    assert "\x9b" not in out
    assert json.loads(out) == [{"name": "a\x9bb"}]
