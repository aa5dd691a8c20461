import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import pytest

from headrace.cli.screen import Screen

DIM, RESET, ERASE = "\x1b[2m", "\x1b[0m", "\x1b[J"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def narrow_terminal(columns: int) -> Iterator[tuple[TextIO, int]]:
    """Yield a terminal of this width to write to, and where to read what came."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    try:
        with os.fdopen(slave, "w", encoding="utf-8") as stream:
            _resize(slave, columns)
            yield stream, master
    finally:
        os.close(master)


def _resize(terminal: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def test_the_answer_is_written_as_it_is_and_ends_its_line() -> None:
    answer = io.StringIO()
    screen = Screen(answer, io.StringIO())
    screen.text("Hel")
    screen.text("lo")
    screen.end_line()
    screen.end_line()
    assert answer.getvalue() == "Hello\n"


def test_an_answer_that_ends_its_line_gets_no_second_end() -> None:
    answer = io.StringIO()
    screen = Screen(answer, io.StringIO())
    screen.text("Hello\n")
    screen.end_line()
    assert answer.getvalue() == "Hello\n"


def test_what_is_flushed_is_there_at_once() -> None:
    raw = io.BytesIO()
    screen = Screen(io.TextIOWrapper(raw, encoding="utf-8"), io.StringIO())
    screen.text("Hel")
    screen.flush()
    assert raw.getvalue() == b"Hel"


@pytest.mark.parametrize("answer", [io.StringIO(), Terminal()], ids=["piped", "terminal"])
def test_commands_of_the_model_are_shown_escaped(answer: io.StringIO) -> None:
    screen = Screen(answer, io.StringIO())
    screen.text("a\x1b]0;title\x07b\tc\x9bd\re\u202e\n")
    assert answer.getvalue() == "a\\x1b]0;title\\x07b\tc\\x9bd\\x0de\\u202e\n"


def test_a_return_at_the_very_end_is_shown_too() -> None:
    answer = io.StringIO()
    screen = Screen(answer, io.StringIO())
    screen.text("a\r")
    screen.end_line()
    assert answer.getvalue() == "a\\x0d\n"


def test_a_raw_answer_keeps_every_character() -> None:
    answer = io.StringIO(newline="")
    Screen(answer, io.StringIO(), raw=True).text("\x1b[31mred\x1b[0m\r\n\x00\r")
    assert answer.getvalue() == "\x1b[31mred\x1b[0m\r\n\x00\r"


def test_thoughts_are_left_out_where_a_program_reads() -> None:
    answer = io.StringIO()
    screen = Screen(answer, io.StringIO())
    screen.thought("hm")
    screen.text("Hello")
    assert answer.getvalue() == "Hello"


def test_a_terminal_gets_thoughts_dimmed_on_lines_of_their_own() -> None:
    answer = Terminal()
    screen = Screen(answer, io.StringIO())
    for write, piece in ((screen.thought, "hm"), (screen.thought, "\x1b"), (screen.text, "Hello")):
        write(piece)
    assert answer.getvalue() == f"{DIM}hm{RESET}{DIM}\\x1b{RESET}\nHello"


def test_without_colour_thoughts_are_told_apart_by_words() -> None:
    terminal = Terminal()
    screen = Screen(terminal, terminal, colour=False)
    screen.thought("hm")
    screen.text("Hello")
    screen.status("waiting")
    screen.note("done")
    assert terminal.getvalue() == "(thoughts)\nhm\n(answer)\nHello\ndone\n"


def test_a_note_does_not_break_a_piped_answer() -> None:
    answer, notes = io.StringIO(), io.StringIO()
    screen = Screen(answer, notes)
    screen.text("Hel")
    screen.note("lost")
    screen.text("lo")
    assert (answer.getvalue(), notes.getvalue()) == ("Hello", "lost\n")


def test_a_note_on_a_terminal_is_dimmed_on_a_line_of_its_own() -> None:
    terminal = Terminal()
    screen = Screen(terminal, terminal)
    screen.text("Hel")
    screen.note("lo\nst\x1b")
    assert terminal.getvalue() == f"Hel\n{DIM}lo st\\x1b{RESET}\n"


def test_a_status_is_replaced_by_the_next_and_gone_before_the_answer() -> None:
    terminal = Terminal()
    screen = Screen(terminal, terminal)
    screen.status("one")
    screen.status("two")
    screen.text("Hello")
    screen.text(" there")
    assert terminal.getvalue() == f"{ERASE}{DIM}one{RESET}\r{ERASE}{DIM}two{RESET}\r{ERASE}Hello there"


def test_a_status_in_mid_answer_stands_below_it() -> None:
    terminal = Terminal()
    screen = Screen(terminal, terminal)
    screen.text("Hel")
    screen.status("lost")
    screen.clear_status()
    screen.clear_status()
    screen.text("lo")
    assert terminal.getvalue() == f"Hel\n{ERASE}{DIM}lost{RESET}\r{ERASE}lo"


def test_a_status_beside_a_piped_answer_is_shown_on_the_terminal() -> None:
    answer, notes = io.StringIO(), Terminal()
    screen = Screen(answer, notes)
    screen.text("Hel")
    screen.status("lost")
    screen.text("lo")
    assert answer.getvalue() == "Hello"
    assert notes.getvalue() == f"{ERASE}{DIM}lost{RESET}\r{ERASE}"


def test_there_is_no_status_where_nobody_looks() -> None:
    notes = io.StringIO()
    screen = Screen(Terminal(), notes)
    screen.status("loading")
    assert not screen.has_status
    assert notes.getvalue() == ""


def test_a_status_is_cut_to_less_than_a_line() -> None:
    with narrow_terminal(10) as (stream, reader):
        Screen(stream, stream).status("0123456789")
        assert os.read(reader, 100).decode() == f"{ERASE}{DIM}0123456…{RESET}\r"
        _resize(reader, 20)
        Screen(stream, stream).status("0123456789")
        assert os.read(reader, 100).decode() == f"{ERASE}{DIM}0123456789{RESET}\r"


def test_only_a_terminal_has_a_width() -> None:
    assert Screen(io.StringIO(), Terminal()).columns is None
    with narrow_terminal(10) as (stream, _):
        assert Screen(stream, io.StringIO()).columns == 10
