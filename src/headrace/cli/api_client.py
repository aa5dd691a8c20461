"""This module lets a command be a client of a server: connects, ends well, and says what went wrong."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import click

from headrace.cli.api import Api, Refused, Unreachable
from headrace.cli.screen import Screen
from headrace.core.errors import HeadraceError, ProviderError, SettingsError
from headrace.net.client import Client

__all__ = ["DEFAULT_URL", "FAILED", "INTERRUPTED", "NO_SERVER", "call", "reason", "url_option"]

FAILED = 1
NO_SERVER = 2

INTERRUPTED = 130
"""What a shell calls a command that Ctrl-C ended: 128 and the number of SIGINT."""

DEFAULT_URL = "http://127.0.0.1:8000"

url_option = click.option("--url", envvar="HEADRACE_URL", default=DEFAULT_URL, show_default=True, help="The server.")


def call(url: str, screen: Screen, work: Callable[[Api], Awaitable[int]]) -> int:
    """Return the exit status of `work`, which is given the server at `url`.

    Where it fails the reason is noted: the status is 2 when there is no server and 1 when the server refuses, or
    is none of ours. Ctrl-C is 130. HEADRACE_TOKEN is the access token.
    """
    try:
        return asyncio.run(_with_api(url, work))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Unreachable as error:
        screen.note(error.message)
        return NO_SERVER
    except (ProviderError, Refused, SettingsError) as error:
        screen.note(reason(error, url))
        return FAILED


def reason(error: HeadraceError, url: str) -> str:
    """Return what a person is told of a call that failed."""
    if isinstance(error, ProviderError):
        # its message speaks of a model's server: what failed here is the way to ours
        return f"the connection to {url} failed: {error.code}"
    return error.message if isinstance(error, Unreachable) else f"{error.code}: {error.message}"


async def _with_api(url: str, work: Callable[[Api], Awaitable[int]]) -> int:
    client = Client()
    try:
        # no flag for the token: other users of the machine see a command's flags. One that was read from a file may
        # have the file's line end.
        return await work(Api(client, url, os.environ.get("HEADRACE_TOKEN", "").strip() or None))
    finally:
        await client.close()
