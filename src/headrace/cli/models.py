"""This module is `headrace models`: every provider, whether it answers and why not, and its models."""

import sys
import textwrap
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import click
import msgspec

from headrace.cli.api import Api
from headrace.cli.api_client import call, url_option
from headrace.cli.screen import Screen, standard
from headrace.cli.screen_text import one_line, plain_json

__all__ = ["models"]

_HEAD = ("PROVIDER", "STATE", "KIND", "FOUND BY", "MODEL", "CONTEXT", "")
_NUMBERS = 5  # the column that is set to the right
_GAP = "  "
_INDENT = "  "
_NARROWEST = 40
_NOTHING = (
    "there are no providers yet: put a GGUF file into the folder `models` of the server's data folder, start Ollama, "
    "llama.cpp's server or LM Studio on the server's machine, or add a provider to its settings"
)

_Row = tuple[str, ...]
T = TypeVar("T")


class _Model(msgspec.Struct):
    id: str
    provider: str
    context_length: int | None
    demonstration: bool


class _Provider(msgspec.Struct):
    name: str
    kind: str
    found_by: str
    state: str
    reason: str | None


class _Models(msgspec.Struct, Generic[T]):
    models: tuple[T, ...]


class _Providers(msgspec.Struct, Generic[T]):
    providers: tuple[T, ...]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that the server says of each.")
@url_option
def models(*, as_json: bool, url: str) -> None:
    """List the providers: what answers, what does not and why, and their models.

    The exit status is 0 when all is well, 1 when the server refuses, 2 when there is no server. HEADRACE_TOKEN holds the
    access token, if the server wants one.
    """
    screen = standard()
    sys.exit(call(url, screen, partial(_show, screen=screen, as_json=as_json)))


async def _show(api: Api, *, screen: Screen, as_json: bool) -> int:
    if as_json:
        shown = await _json(api)
    else:
        providers = (await api.ask("GET", "/providers", _Providers[_Provider])).providers
        listed = (await api.ask("GET", "/models", _Models[_Model])).models
        shown = "\n".join(_table(providers, listed, columns=screen.columns)) if providers else ""
    if shown:
        screen.text(f"{shown}\n")
        screen.flush()
    else:
        screen.note(_NOTHING)
    return 0


async def _json(api: Api) -> str:
    providers = (await api.ask("GET", "/providers", _Providers[dict[str, Any]])).providers
    listed = (await api.ask("GET", "/models", _Models[dict[str, Any]])).models
    told = [
        {**provider, "models": [model for model in listed if model.get("provider") == provider.get("name")]}
        for provider in providers
    ]
    return plain_json(msgspec.json.format(msgspec.json.encode({"providers": told}), indent=2).decode())


def _table(providers: Sequence[_Provider], listed: Sequence[_Model], *, columns: int | None) -> Iterator[str]:
    """Yield a line for each model, and below those of a provider why it does not answer, wrapped at `columns`."""
    rows = [list(_rows(provider, listed)) for provider in providers]
    widths = [max(map(len, column)) for column in zip(_HEAD, *(row for some in rows for row in some), strict=True)]
    yield _line(_HEAD, widths)
    for provider, some in zip(providers, rows, strict=True):
        for row in some:
            yield _line(row, widths)
        if provider.reason:
            yield from _wrapped(one_line(provider.reason), columns)


def _rows(provider: _Provider, listed: Sequence[_Model]) -> Iterator[_Row]:
    its = [model for model in listed if model.provider == provider.name]
    first = tuple(map(one_line, (provider.name, provider.state, provider.kind, provider.found_by)))
    for model in its:
        context = "" if model.context_length is None else str(model.context_length)
        yield (*first, one_line(model.id), context, "demonstration" if model.demonstration else "")
        first = ("",) * len(first)
    if not its:
        yield (*first, "-", "", "")


def _line(row: _Row, widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if at == _NUMBERS else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return _GAP.join(cells).rstrip()


def _wrapped(text: str, columns: int | None) -> list[str]:
    if columns is None:
        return [_INDENT + text]
    width = max(columns, _NARROWEST)
    # an address or a setting that is cut in two cannot be copied
    return textwrap.wrap(
        text, width, initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False, break_long_words=False
    )
