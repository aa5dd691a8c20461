import io

import pytest

from headrace.cli.progress import Progress, amount


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Hand:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2_000_000, "2.0 MB"), (4_123_000_000, "4.1 GB")],
)
def test_bytes_are_said_as_people_say_them(count: int, text: str) -> None:
    assert amount(count) == text


def test_a_terminal_has_a_bar_with_rate_and_time_left() -> None:
    stream, clock = Terminal(), Hand()
    progress = Progress(stream, "m.gguf", clock=clock)
    progress(0, 1_000_000)
    clock.now += 2
    progress(500_000, 1_000_000)
    clock.now += 2
    progress(1_000_000, 1_000_000)
    progress.end()
    begin, half, whole = stream.getvalue().split("\r")[1:]
    assert begin == f"m.gguf [{'.' * 24}]   0 %  0 B of 1.0 MB\x1b[K"
    assert half == f"m.gguf [{'#' * 12}{'.' * 12}]  50 %  500.0 kB of 1.0 MB, 250.0 kB/s, 0:02 left\x1b[K"
    assert whole == f"m.gguf [{'#' * 24}] 100 %  1.0 MB of 1.0 MB, 250.0 kB/s\x1b[K\n"


def test_a_bar_is_not_drawn_for_every_piece() -> None:
    stream, clock = Terminal(), Hand()
    progress = Progress(stream, "m.gguf", clock=clock)
    for here in range(1000):
        clock.now += 0.001
        progress(here, 1000)
    assert 8 <= stream.getvalue().count("\r") <= 12


def test_the_rate_is_that_of_the_last_seconds_and_begins_anew_with_the_file() -> None:
    stream, clock = Terminal(), Hand()
    progress = Progress(stream, "m.gguf", clock=clock)
    for second in range(20):
        clock.now += 1
        progress(second * (1000 if second < 10 else 2000), None)
    assert stream.getvalue().endswith("38.0 kB, 2.0 kB/s\x1b[K")
    clock.now += 1
    progress(0, None)
    assert stream.getvalue().endswith("m.gguf  0 B\x1b[K")


def test_long_waits_are_told_in_hours() -> None:
    stream, clock = Terminal(), Hand()
    progress = Progress(stream, "m.gguf", clock=clock)
    progress(0, 10_000_000)
    clock.now += 1
    progress(1000, 10_000_000)
    assert "2 h 46 min left" in stream.getvalue()


def test_elsewhere_there_is_a_plain_line_for_each_tenth() -> None:
    stream, clock = io.StringIO(), Hand()
    progress = Progress(stream, "m.gguf", clock=clock)
    for here in range(0, 1001, 4):
        clock.now += 1
        progress(here * 1000, 1_000_000)
    progress.end()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "m.gguf: 100.0 kB of 1.0 MB, 4.0 kB/s, 3:45 left"
    assert lines[-1] == "m.gguf: 1.0 MB of 1.0 MB, 4.0 kB/s"
    assert stream.getvalue().isascii()
    assert "\r" not in stream.getvalue()


def test_elsewhere_a_download_of_unknown_size_is_told_now_and_then() -> None:
    stream = io.StringIO()
    progress = Progress(stream, "m.gguf", clock=Hand())
    for here in range(0, 600_000_000, 1_000_000):
        progress(here, None)
    assert stream.getvalue().splitlines() == ["m.gguf: 269.0 MB", "m.gguf: 537.0 MB"]


def test_a_download_that_goes_on_says_where_it_begins() -> None:
    stream = io.StringIO()
    progress = Progress(stream, "m.gguf", clock=Hand())
    progress(550, 1000)
    progress(560, 1000)
    assert stream.getvalue() == "m.gguf: 550 B of 1.0 kB\n"
