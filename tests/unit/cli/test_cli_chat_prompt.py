import asyncio
import os
import pty
import stat
import sys
import termios
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from headrace.cli.chat_prompt import Prompt, history_file, keys_held

WORDS = ["/new", "/model", "/model box/a"]
ENTER, ALT_ENTER, UP, CTRL_C, CTRL_D = "\r", "\x1b\r", "\x1b[A", "\x03", "\x04"


@pytest.fixture
async def keyboard() -> AsyncIterator[PipeInput]:
    with create_pipe_input() as keyboard, create_app_session(input=keyboard, output=DummyOutput()):
        yield keyboard


async def typed(keyboard: PipeInput, keys: str, history: Path, default: str = "") -> str:
    prompt = Prompt(history, lambda _line: WORDS)
    keyboard.send_text(keys)
    async with asyncio.timeout(10):
        return await prompt.ask(default)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (f"hello{ENTER}", "hello"),
        (f"one\\{ENTER}two{ENTER}", "one\ntwo"),
        (f"one{ALT_ENTER}two{ENTER}", "one\ntwo"),
        (f"\x1b[200~one\r\ntwo\x1b[201~{ENTER}", "one\ntwo"),
        (f"wrong{CTRL_C}right{ENTER}", "right"),
        (f"/n\t{ENTER}", "/new"),
        (f"/model b\t{ENTER}", "/model box/a"),
        (f"Zürich 🚆{ENTER}", "Zürich 🚆"),
    ],
    ids=["enter", "backslash", "alt-enter", "paste", "ctrl-c", "command", "model", "unicode"],
)
async def test_a_line_is_what_was_typed(keyboard: PipeInput, tmp_path: Path, keys: str, line: str) -> None:
    assert await typed(keyboard, keys, tmp_path / "history") == line


async def test_bytes_that_are_no_text_are_replaced(keyboard: PipeInput, tmp_path: Path) -> None:
    keyboard.send_bytes(b"a\xffb")
    assert await typed(keyboard, ENTER, tmp_path / "history") == "a\ufffdb"


async def test_what_was_not_sent_is_there_to_be_sent_again(keyboard: PipeInput, tmp_path: Path) -> None:
    assert await typed(keyboard, f" there{ENTER}", tmp_path / "history", "hello") == "hello there"


@pytest.mark.parametrize(("key", "error"), [(CTRL_C, KeyboardInterrupt), (CTRL_D, EOFError)])
async def test_an_empty_line_ends_by_an_error(
    keyboard: PipeInput, tmp_path: Path, key: str, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        await typed(keyboard, key, tmp_path / "history")


async def test_the_history_outlives_the_prompt_and_is_private(keyboard: PipeInput, tmp_path: Path) -> None:
    history = tmp_path / "state" / "headrace" / "chat_history"
    await typed(keyboard, f"one\\{ENTER}two{ENTER}", history)
    await typed(keyboard, f"three{ENTER}", history)
    assert await typed(keyboard, f"{UP}{UP}{ENTER}", history) == "one\ntwo"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert stat.S_IMODE(history.parent.stat().st_mode) == 0o700


async def test_a_history_that_cannot_be_kept_is_no_trouble(keyboard: PipeInput, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert await typed(keyboard, f"hello{ENTER}", tmp_path / "file" / "history") == "hello"
    (tmp_path / "folder").mkdir()
    assert await typed(keyboard, f"{UP}hello{ENTER}", tmp_path / "folder") == "hello"


async def test_a_history_does_not_grow_without_end(keyboard: PipeInput, tmp_path: Path) -> None:
    history = tmp_path / "history"
    entry = b"\n# 2026-01-01 00:00:00\n+%05d\n"
    history.write_bytes(b"".join(entry % number for number in range(40_000)))
    assert await typed(keyboard, f"{UP}{ENTER}", history) == "39999"
    assert 500_000 < history.stat().st_size < 600_000
    assert history.read_bytes().startswith(b"\n# 2026")


def test_the_history_is_in_the_state_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert history_file({"XDG_STATE_HOME": "/state"}) == Path("/state/headrace/chat_history")
    assert history_file({}) == Path("/home/someone/.local/state/headrace/chat_history")


def test_held_keys_are_unseen_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "r") as keyboard, os.fdopen(master, "rb+", buffering=0) as person:
        monkeypatch.setattr(sys, "stdin", keyboard)
        before = termios.tcgetattr(keyboard)
        with keys_held():
            person.write(b"hi\r")
            assert os.read(keyboard.fileno(), 10) == b"hi\r"
            assert termios.tcgetattr(keyboard)[3] & termios.ISIG
        assert termios.tcgetattr(keyboard) == before
        os.set_blocking(person.fileno(), False)
        assert person.read(10) is None
