"""This module is `headrace chat`: one message, its answer as it is made."""

import asyncio
import io
import os
import sys

import click

from headrace.cli.api import Api, Refused, Unreachable
from headrace.cli.screen import Screen
from headrace.cli.turn import Turn
from headrace.core.errors import ProviderError, SettingsError
from headrace.core.events import RunFinished
from headrace.net.client import Client

__all__ = ["chat"]

_FAILED = 1
_NO_SERVER = 2
_INTERRUPTED = 130  # what a shell calls a command that Ctrl-C ended: 128 and the number of SIGINT


@click.command()
@click.argument("message")
@click.option("--model", help="The model that answers, as provider/model.")
@click.option("--chat", "chat_id", type=click.IntRange(min=1), help="Go on in this chat; otherwise a new one is made.")
@click.option("--system", help="The system prompt of the new chat.")
@click.option("--url", envvar="HEADRACE_URL", default="http://127.0.0.1:8000", show_default=True, help="The server.")
def chat(message: str, model: str | None, chat_id: int | None, system: str | None, url: str) -> None:
    """Send MESSAGE and print the answer as it is made.

    Only the answer goes to standard output; what happens around it goes to standard error. Ctrl-C stops the run. The
    exit status is 0 when the model ended its answer, 1 when it did not, 2 when there is no server, 130 after Ctrl-C.
    The variable HEADRACE_TOKEN holds the access token, if the server wants one.
    """
    if chat_id is not None and system is not None:
        raise click.UsageError("--system is for a new chat: leave out --chat.")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # what the terminal's encoding lacks, and halves of a cut UTF-16 pair, become `?` and end nothing
            stream.reconfigure(errors="replace")
    screen = Screen(sys.stdout, sys.stderr)
    try:
        status = asyncio.run(_answer(screen, message, model=model, chat_id=chat_id, system=system, url=url))
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


async def _answer(
    screen: Screen, message: str, *, model: str | None, chat_id: int | None, system: str | None, url: str
) -> int:
    client = Client()
    # no flag for it: other users of the machine see a command's flags
    api = Api(client, url, os.environ.get("HEADRACE_TOKEN"))
    try:
        if chat_id is None:
            chat_id = await _new_chat(api, system)
            screen.note(f"chat {chat_id}")
        turn = Turn(api, chat_id, {"content": message} | ({"model": model} if model else {}))
        return await _follow(turn, screen)
    except Unreachable as error:
        screen.note(error.message)
        return _NO_SERVER
    except ProviderError as error:
        screen.note(f"the connection to {url} failed: {error.code}")
        return _FAILED
    except (Refused, SettingsError) as error:
        screen.note(f"{error.code}: {error.message}")
        return _FAILED
    finally:
        await client.close()


async def _new_chat(api: Api, system: str | None) -> int:
    made = await api.call("POST", "/chats", {"system_prompt": system} if system is not None else {})
    return int(made["id"])


async def _follow(turn: Turn, screen: Screen) -> int:
    try:
        terminal = await turn.follow(screen.show, screen.lost)
    except (asyncio.CancelledError, BrokenPipeError):
        # Ctrl-C, or nobody reads the answer any more: a run is the server's, and would go on without us
        screen.note("stopped" if await turn.stop() else "the server did not confirm the stop: the run may go on")
        raise
    screen.end(terminal)
    return 0 if isinstance(terminal, RunFinished) else _FAILED
