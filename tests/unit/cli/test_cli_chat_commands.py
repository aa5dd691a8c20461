import pytest

from headrace.cli.chat_commands import COMMANDS, Given, help_text, parse


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("/new", Given("new", "")),
        ("/model box/a ", Given("model", "box/a")),
        ("/system Be brief.\nBe kind.", Given("system", "Be brief.\nBe kind.")),
        ("/sing", Given("sing", "")),
        ("/", Given("", "")),
    ],
)
def test_a_slash_and_a_word_are_a_command(line: str, given: Given) -> None:
    assert parse(line) == given


@pytest.mark.parametrize("line", ["Hi", " /new", "/etc/hosts is what?", "/Users", "//", "a /new", "\n/new", "/new!"])
def test_everything_else_is_a_message(line: str) -> None:
    assert parse(line) is None


def test_the_help_names_every_command_and_fits_a_narrow_terminal() -> None:
    lines = help_text()
    for command in COMMANDS:
        assert any(line.startswith(f"/{command.name}") for line in lines)
    assert max(map(len, lines)) < 68
