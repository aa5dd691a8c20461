"""Thoughts in the text of an answer."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.events import Event, Reasoning, Text
from headrace.formats.think import Splitter


def split(pieces: list[str]) -> list[Event]:
    splitter = Splitter()
    return [event for piece in pieces for event in splitter.feed(piece)] + splitter.close()


def folded(events: list[Event]) -> tuple[str, str]:
    """Return all thoughts and all text; thoughts come before text and no piece is empty."""
    kinds = [type(event) for event in events]
    assert kinds == sorted(kinds, key=lambda kind: kind is Text)
    assert all(event.delta for event in events if isinstance(event, Text | Reasoning))
    return (
        "".join(event.delta for event in events if isinstance(event, Reasoning)),
        "".join(event.delta for event in events if isinstance(event, Text)),
    )


CASES = {
    "<think>a</think>b": ("a", "b"),
    "<think>\na\n</think>\n\nb\n\nc": ("\na\n", "b\n\nc"),
    " \n<think>a</think>b": (" \na", "b"),
    "<think></think>b": ("", "b"),
    "<think></think> \t\r\n\u3000b": ("", "\u3000b"),
    "<think>\n\n</think>\n\n": ("\n\n", ""),
    "<think>a": ("a", ""),
    "<think>a</thi": ("a</thi", ""),
    "<think>": ("", ""),
    "<think>a</thi</think>b": ("a</thi", "b"),
    "<think>a<</think>b</think>c": ("a<", "b</think>c"),
    "<think>1 < 2 <b> </p></think>b": ("1 < 2 <b> </p>", "b"),
    "<think><think>a</think>b": ("<think>a", "b"),
    "<think>a</think><think>b</think>": ("a", "<think>b</think>"),
    "b <think>a</think>": ("", "b <think>a</think>"),
    "```\n<think>a</think>\n```": ("", "```\n<think>a</think>\n```"),
    "`<think>` is a tag": ("", "`<think>` is a tag"),
    "<thinking>a</thinking>": ("", "<thinking>a</thinking>"),
    "<THINK>a</THINK>": ("", "<THINK>a</THINK>"),
    "</think>a": ("", "</think>a"),
    "<thin": ("", "<thin"),
    "\u3000<think>a</think>": ("", "\u3000<think>a</think>"),
    " \n": ("", " \n"),
    " a": ("", " a"),
    "<": ("", "<"),
    "<<think>": ("", "<<think>"),
    "": ("", ""),
}


@pytest.mark.parametrize("answer", CASES)
def test_splits_the_same_wherever_the_pieces_are_cut(answer: str) -> None:
    for second in range(len(answer) + 1):
        for first in range(second + 1):
            pieces = [answer[:first], answer[first:second], answer[second:]]
            assert folded(split(pieces)) == CASES[answer], pieces
    assert folded(split(list(answer))) == CASES[answer]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "/", "th", "ink>", " ", "\n", "a", "é"]), max_size=12))
def test_only_the_tags_and_the_space_behind_them_are_lost(pieces: list[str]) -> None:
    answer = "".join(pieces)
    expected = ("", answer)
    if answer.lstrip(" \n").startswith("<think>"):
        lead, rest = answer.split("<think>", 1)
        inner, _, after = rest.partition("</think>")
        expected = (lead + inner, after.lstrip(" \n"))
    assert folded(split(pieces)) == expected
    assert folded(split([answer])) == expected


def steps(*pieces: str) -> list[tuple[list[Event], bool]]:
    splitter = Splitter()
    return [(splitter.feed(piece), splitter.done) for piece in pieces]


def test_holds_back_only_what_may_be_a_tag() -> None:
    assert steps("\n<thi", "nk>", "a<", "b", "c</think", "> ", " d", "<think>", "") == [
        ([], False),
        ([Reasoning("\n")], False),
        ([Reasoning("a")], False),
        ([Reasoning("<b")], False),
        ([Reasoning("c")], False),
        ([], False),
        ([Text("d")], True),
        ([Text("<think>")], True),
        ([], True),
    ]


def test_is_done_with_the_first_word_that_is_no_tag() -> None:
    assert steps("<t", "able>") == [([], False), ([Text("<table>")], True)]


def test_closing_gives_what_was_held_back_once() -> None:
    splitter = Splitter()
    splitter.feed(" <th")
    assert splitter.close() == [Text(" <th")]
    assert splitter.done
    assert splitter.close() == []


def test_endless_white_space_takes_linear_time() -> None:
    splitter = Splitter()
    started = time.perf_counter()
    for _ in range(100_000):
        assert splitter.feed("\n" * 20) == []
    assert time.perf_counter() - started < 3
    assert splitter.close() == [Text("\n" * 2_000_000)]
