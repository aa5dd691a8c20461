"""Ways of cutting bytes, and what every decoder must make of them: the same."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from hypothesis import strategies as st

R = TypeVar("R")

GOLDEN = Path(__file__).parents[2] / "golden"


def one_cut(data: bytes) -> Iterator[list[bytes]]:
    for cut in range(len(data) + 1):
        yield [data[:cut], data[cut:]]


def two_cuts(data: bytes) -> Iterator[list[bytes]]:
    for second in range(len(data) + 1):
        for first in range(second + 1):
            yield [data[:first], data[first:second], data[second:]]


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


def at_cuts(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@st.composite
def many_cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    return at_cuts(data, draw(st.lists(st.integers(0, len(data)), max_size=40)))


def same_however_cut(outcome: Callable[[list[bytes]], R], data: bytes) -> R:
    """Assert that every one and two cuts, and single bytes, come out like the whole; return that."""
    whole = outcome([data])
    for pieces in one_cut(data):
        assert outcome(pieces) == whole, pieces
    if len(data) <= 80:
        for pieces in two_cuts(data):
            assert outcome(pieces) == whole, pieces
    assert outcome(byte_by_byte(data)) == whole
    return whole
