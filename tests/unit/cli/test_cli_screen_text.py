import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.cli.screen_text import Harmless, fit, one_line, plain, plain_json

COMMANDS = {chr(n) for n in [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]}
CONTROLS = COMMANDS - {"\t", "\n"}


@pytest.mark.parametrize("control", sorted(CONTROLS))
def test_every_control_character_is_escaped(control: str) -> None:
    assert plain(f"a{control}b") == (f"a\\x{ord(control):02x}b" if ord(control) < 0x100 else f"a\\u{ord(control):04x}b")


@pytest.mark.parametrize(
    "text",
    [
        "a\tb\nc\n",
        "Z\u00fcrich \U0001f686 \u65e5\u672c\u8a9e",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a joiner that spelling wants
        "\u200f\u05e9\u05dc\u05d5\u05dd",  # Hebrew, with a mark of direction
        "\U0001f3f4\U000e0067\U000e007f",
        "\u2028 \u2029",
    ],
)
def test_everything_else_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_a_clipboard_command_is_shown() -> None:
    assert plain("\x1b]52;c;ZXZpbA==\x07") == r"\x1b]52;c;ZXZpbA==\x07"


def test_a_line_end_of_two_characters_becomes_one_and_a_lone_return_is_shown() -> None:
    assert plain("a\r\nb\rc") == "a\nb\\x0dc"


@given(st.text(alphabet=[*"ab\r\n\x1b\u202e"]), st.data())
def test_pieces_come_to_the_same_as_the_whole(text: str, data: st.DataObject) -> None:
    harmless = Harmless()
    shown, rest = "", text
    while rest:
        cut = data.draw(st.integers(1, len(rest)))
        shown += harmless.feed(rest[:cut])
        rest = rest[cut:]
    assert shown + harmless.end() == plain(text)


def test_no_more_is_held_back_than_a_return_at_the_end() -> None:
    assert Harmless().feed("a token\r") == "a token"


def test_lines_become_one() -> None:
    assert one_line("a\nb\r\n\x1b") == r"a b \x1b"


@given(st.text())
def test_json_says_the_same_without_commands(text: str) -> None:
    shown = plain_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    assert not COMMANDS & set(shown)


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcd…"),
        ("日本", 4, "日本"),
        ("日本語", 5, "日…"),
        ("abc", 2, "…"),
        ("", 1, ""),
    ],
)
def test_what_is_too_long_is_cut_to_fit_wherever_characters_are_wide(text: str, columns: int, shown: str) -> None:
    assert fit(text, columns) == shown
