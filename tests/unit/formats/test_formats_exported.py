from typing import Any

import msgspec
import pytest

from headrace.formats import exported
from headrace.formats.exported import BrokenChat, arrange, decode_as, source_id, to_ms, to_title


@pytest.mark.parametrize(
    ("value", "ms"),
    [
        (1_700_000_000, 1_700_000_000_000),
        (1_700_000_000.25, 1_700_000_000_250),
        ("1700000000", 1_700_000_000_000),
        (1_700_000_000_123, 1_700_000_000_123),
        (1_700_000_000_123_456, 1_700_000_000_123),
        (1_700_000_000_123_456_789, 1_700_000_000_123),
        (None, None),
        ("yesterday", None),
        (True, None),
        ([1], None),
        (0, None),
        (-5, None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        # as seconds it would be the year 2255
        (9_000_000_000, 9_000_000_000),
    ],
)
def test_a_time_is_one_whichever_unit_it_has(value: Any, ms: int | None) -> None:
    assert to_ms(value) == ms


@pytest.mark.parametrize(
    ("value", "title"),
    [
        (" A\n mill ", "A mill"),
        ("", None),
        (" ", None),
        (None, None),
        (7, None),
        ("x" * 300, "x" * 200),
        ("\ud83d", "�"),
    ],
)
def test_a_title_is_one_that_can_be_kept(value: Any, title: str | None) -> None:
    assert to_title(value) == title


@pytest.mark.parametrize(
    ("ids", "found"),
    [(["a", "b"], "p:a"), ([None, "b"], "p:b"), (["", 7, "x" * 201, "a\nb"], "p:digest"), ([], "p:digest")],
)
def test_a_chat_is_known_by_its_own_id_or_its_content(ids: list[Any], found: str) -> None:
    assert source_id("p", ids, "digest") == found


def test_parents_come_first_and_then_the_older() -> None:
    parents = {"late": "root", "root": None, "early": "root", "below": "early", "orphan": "nowhere"}
    times = {"root": 10, "late": 30, "early": 20, "below": 15, "orphan": None}
    # a clock that went back does not bring a child before its parent
    assert arrange(parents, times) == ["orphan", "root", "early", "below", "late"]


def test_without_times_a_branch_stays_together() -> None:
    assert arrange({"r": None, "a": "r", "b": "r", "a1": "a"}, {}) == ["r", "a", "a1", "b"]


def test_a_tree_of_any_depth_is_arranged() -> None:
    parents = {str(number): str(number - 1) if number else None for number in range(50_000)}
    assert arrange(parents, {}) == list(parents)


@pytest.mark.parametrize("parents", [{"a": "a"}, {"a": "b", "b": "a"}, {"r": None, "a": "b", "b": "c", "c": "a"}])
def test_a_circle_is_refused(parents: dict[str, str | None]) -> None:
    with pytest.raises(BrokenChat, match="circle"):
        arrange(parents, {})


def test_too_many_messages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "MESSAGES_MAX", 2)
    assert arrange({"a": None, "b": "a"}, {}) == ["a", "b"]
    with pytest.raises(BrokenChat, match="more than 2"):
        arrange({"a": None, "b": "a", "c": "b"}, {})


@pytest.mark.parametrize("data", [b"{", b'{"a": "x"}', b"[" * 100_000])
def test_what_has_another_form_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenChat):
        decode_as(dict[str, int], msgspec.Raw(data))
