import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from headrace.app import logs, settings
from headrace.core.errors import SettingsError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object() -> None:
    stream = io.StringIO()
    logs.configure(stream)
    structlog.get_logger("headrace.runs").info("run ended", run_id="run_1", status="complete")
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "run ended",
        "level": "info",
        "logger": "headrace.runs",
        "run_id": "run_1",
        "status": "complete",
    }


def test_lines_of_libraries_have_the_same_form() -> None:
    stream = io.StringIO()
    logs.configure(stream)
    logging.getLogger("uvicorn.error").warning("cut %d connections", 3)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "cut 3 connections", "level": "warning", "logger": "uvicorn.error"}


def test_what_is_below_the_level_is_left_out() -> None:
    stream = io.StringIO()
    logs.configure(stream, level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("uvicorn.access").info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_what_libraries_say_while_they_are_debugged_stays_out_at_every_level() -> None:
    stream = io.StringIO()
    logs.configure(stream, level="debug")
    structlog.get_logger().debug("ours")
    logging.getLogger("aiohttp.client").debug("Authorization: Bearer sk-secret")
    assert [line["event"] for line in lines(stream)] == ["ours"]


@pytest.mark.parametrize("library", [False, True])
def test_an_exception_stays_within_its_line(library: bool) -> None:  # noqa: FBT001 - a case of the test
    stream = io.StringIO()
    logs.configure(stream)
    logger: Any = logging.getLogger("library") if library else structlog.get_logger()
    try:
        int("first\nsecond")
    except ValueError:
        logger.exception("a bug")
    (line,) = lines(stream)
    assert "Traceback (most recent call last):\n" in line["exception"]


def test_what_json_has_no_word_for_is_written_all_the_same() -> None:
    stream = io.StringIO()
    logs.configure(stream)
    structlog.get_logger().info("odd", path=Path("/data"), half="\ud83d", big=2**70, error=ValueError("no"))
    (line,) = lines(stream)
    assert line["half"] == "\ud83d"
    assert line["big"] == 2**70
    assert "/data" in line["path"]
    assert line["error"] == "ValueError('no')"


def test_what_was_bound_for_a_context_is_in_every_line() -> None:
    stream = io.StringIO()
    logs.configure(stream)
    with structlog.contextvars.bound_contextvars(run="run_1"):
        structlog.get_logger().info("ours")
        logging.getLogger("library").info("theirs")
    assert [line["run"] for line in lines(stream)] == ["run_1", "run_1"]


def test_a_terminal_gets_words_instead_of_json() -> None:
    stream = Terminal()
    logs.configure(stream)
    structlog.get_logger().info("listening", port=8000)
    assert "listening" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_form_can_be_set_against_the_stream() -> None:
    stream, terminal = io.StringIO(), Terminal()
    logs.configure(stream, form="text")
    structlog.get_logger().info("listening", port=8000)
    logging.getLogger("library").info("joined")
    logs.configure(terminal, form="json")
    structlog.get_logger().info("listening", port=8000)
    assert "\x1b" not in stream.getvalue(), "colours are for terminals"
    assert [line.split()[3] for line in stream.getvalue().splitlines()] == ["listening", "joined"]
    assert lines(terminal)[0]["port"] == 8000


def test_a_traceback_on_a_terminal_shows_no_local_variables() -> None:
    stream = Terminal()
    logs.configure(stream)
    try:
        key = "sk-local-variable"
        int(key[:2])
    except ValueError:
        structlog.get_logger().exception("a bug")
    assert "ValueError" in stream.getvalue()
    assert "key = 'sk-" not in stream.getvalue()


def test_configuring_again_replaces_the_stream() -> None:
    first, second = io.StringIO(), io.StringIO()
    logger = structlog.get_logger("headrace.used")
    logs.configure(first)
    logger.info("before")
    logs.configure(second)
    logger.info("after")
    assert [line["event"] for line in lines(first)] == ["before"]
    assert [line["event"] for line in lines(second)] == ["after"]


def test_lines_of_several_threads_are_not_mixed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as stream:
        logs.configure(stream)
        logger = structlog.get_logger("headrace.runs")

        def write(number: int) -> None:
            for _ in range(200):
                logger.info("run.ended", number=number, padding="x" * 3000)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    written = [json.loads(line)["number"] for line in path.read_text().splitlines()]
    assert sorted(written) == sorted(list(range(4)) * 200)


def test_a_line_that_cannot_be_written_ends_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        logs.configure(stream)
        structlog.get_logger().info("nobody reads this")
        logging.getLogger("library").info("nor this")
        with pytest.raises(BrokenPipeError):
            stream.close()
    structlog.get_logger().info("and the stream is closed")


def test_level_and_form_are_settings() -> None:
    environ = {"HEADRACE_LOG_LEVEL": "warning", "HEADRACE_LOG_FORMAT": "text"}
    assert settings.load(environ=environ).log == settings.Log(level="warning", format="text")
    assert settings.load(environ={}).log == settings.Log(level="info", format="auto")
    with pytest.raises(SettingsError, match="`debug` or `error` or `info` or `warning`"):
        settings.load(environ={"HEADRACE_LOG_LEVEL": "loud"})
