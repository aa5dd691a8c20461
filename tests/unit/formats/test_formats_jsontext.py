"""JSON with any text in it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.formats import jsontext

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@settings(max_examples=200, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | ANY_TEXT, lambda inner: st.lists(inner, max_size=3)))
def test_any_value_comes_back(value: object) -> None:
    # as with every JSON writer, two halves that stand side by side in one text come back as the character they make
    expected = json.loads(json.dumps(value))
    assert jsontext.decode(jsontext.encode(value)) == expected
    ascii_only = jsontext.encode_ascii(value)
    assert ascii_only.isascii()
    assert jsontext.decode(ascii_only) == expected


def test_plain_text_is_utf_8_and_halves_are_escapes() -> None:
    assert jsontext.encode({"a": "é"}) == '{"a":"é"}'.encode()
    assert jsontext.encode({"a": "é\ud83d"}) == b'{"a":"\\u00e9\\ud83d"}'


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":}', b'"\xff"', b"[" * 100_000, b'{"a":"\n"}'])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are the JSON readers' own
        jsontext.decode(data)


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("plain é 👋", "plain é 👋"),
        ("\ud83d\udc4b", "👋"),
        ("a\ud83db", "a\ufffdb"),
        ("\udc4b\ud83d", "\ufffd\ufffd"),
        ("", ""),
    ],
)
def test_halves_that_meet_become_one_character(text: str, mended: str) -> None:
    assert jsontext.mend(text) == mended


@settings(max_examples=200, deadline=None)
@given(ANY_TEXT.flatmap(lambda text: st.tuples(st.just(text), st.integers(0, len(text)), st.integers(0, len(text)))))
def test_halves_meet_over_cuts(case: tuple[str, int, int]) -> None:
    text, one, other = case
    first, second = sorted((one, other))
    halves = jsontext.Halves()
    pieces = [halves.feed(piece) for piece in (text[:first], text[first:second], text[second:])]
    assert "".join([*pieces, halves.close()]) == jsontext.mend(text)
    assert halves.close() == ""
