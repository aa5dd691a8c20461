import click
import pytest

from headrace.cli.span import SPAN, moment

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "hours"), [("1h", 1), ("12h", 12), ("30d", 30 * 24), ("4w", 4 * 7 * 24), ("1y", 365 * 24)]
)
def test_a_span_is_a_number_and_a_unit(text: str, hours: int) -> None:
    assert SPAN.convert(text, None, None) == hours * HOUR


@pytest.mark.parametrize("text", ["", "0d", "-1d", "1", "d", "1m", "1.5d", "100000d", "1d ", "\u0661d"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="as 30d"):
        SPAN.convert(text, None, None)


def test_what_never_happened_has_a_word() -> None:
    assert moment(None, none="never") == "never"


def test_a_moment_is_told_to_the_minute() -> None:
    assert moment(0, none="never")[:4] in {"1969", "1970"}
    assert len(moment(0, none="never")) == len("1970-01-01 00:00")
