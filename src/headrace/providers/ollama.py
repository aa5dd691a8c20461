"""This module asks an Ollama over its own API, which says more than the one it shares with OpenAI.

It tells which models are loaded, so a wait for one is shown; it counts tokens and times exactly; it goes on with an
unfinished answer. Thoughts, pictures and calls of tools come apart from the text.
"""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from headrace.core.errors import ProviderError, SettingsError
from headrace.core.events import FinishReason, ModelLoading, ModelReady
from headrace.core.messages import Request
from headrace.core.vectors import Vectors
from headrace.formats import jsontext
from headrace.formats.embeddings import decode_ollama_reply, ollama_body
from headrace.formats.ollama import encode_request
from headrace.formats.ollama_models import (
    Listed,
    Shown,
    canonical,
    decode_ps,
    decode_show,
    decode_tags,
    is_remote,
)
from headrace.net.client import Client
from headrace.net.origin import check_headers, parse
from headrace.net.port import Exchange, Transport
from headrace.providers.ollama_reply import error_from, receive
from headrace.providers.openai_reply import error_body
from headrace.providers.port import Emit, Model

__all__ = ["Ollama", "OllamaSettings"]

_TAGS_TIMEOUT_S = 3.0  # with the next one below 5 s
_SHOWS_S = 1.5  # for what the list of models does not say; what is not known by then is asked for next time
_SHOWS_AT_ONCE = 4
_MAX_BYTES = 8 * 1024 * 1024  # a model's licences and templates are told with it
_MAX_VECTORS_BYTES = 128 * 1024 * 1024  # 2,048 vectors of 3,072 numbers, 20 characters each
_NOTICED_S = 0.1  # a wait below it is none, and a request may be refused before any model is loaded for it
_CHATS = "completion"  # the capability; models without it make vectors or pictures
_NOT_IN_BASE_URL = ("/v1", "/api")


class OllamaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[providers.NAME]` of kind `ollama`."""

    base_url: str = "http://127.0.0.1:11434"
    """The address, without `/v1` or `/api`."""

    api_key: str | None = None
    """The key, sent as a bearer token: for ollama.com, or a proxy that wants one."""

    models: tuple[str, ...] | None = None
    """The names of its models; without it the server is asked."""

    headers: dict[str, str] = {}
    """Headers to send with every request."""

    slots: Annotated[int, Meta(ge=1)] | None = None
    """How many answers it makes at once; not set: it queues by itself."""

    def __repr__(self) -> str:
        """Show the address only: there are keys in the rest."""
        return f"OllamaSettings(base_url={self.base_url!r})"


class Ollama:
    """An Ollama; fills `providers.port.Provider`.

    Raises `SettingsError` where the settings cannot be sent. `transport` becomes its own: `close` closes it.
    """

    kind = "ollama"

    def __init__(self, name: str, settings: OllamaSettings, *, transport: Transport | None = None) -> None:
        self.name = name
        self.slots = settings.slots
        self._names = settings.models
        self._base_url = settings.base_url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson, application/json"}
        if settings.api_key is not None:
            self._headers["Authorization"] = f"Bearer {settings.api_key}"
        self._headers |= settings.headers
        self._host = _host_of(name, self._base_url)
        check_headers(self._headers)
        self._transport = transport or Client()
        self._shown: dict[str, Shown] = {}  # by digest, of the models that it listed last
        self._remote: frozenset[str] = frozenset()  # those of them that another server runs

    async def models(self) -> list[Model]:
        """Ask the server which models it has; see the port. Only those that can chat are returned.

        With `models` in the settings those are returned, as long as it answers at all.
        """
        try:
            async with asyncio.timeout(_TAGS_TIMEOUT_S):
                exchange, body = await self._ask("GET", "/api/tags")
        except TimeoutError as error:
            raise ProviderError(
                f"{self._base_url} did not list its models within {_TAGS_TIMEOUT_S:.0f} s. "
                "Check whether Ollama is stuck.",
                code="upstream_silent",
            ) from error
        try:
            listed = decode_tags(_whole(exchange, body, self._host))
        except ProviderError:
            if self._names is None:
                raise
            listed = []
        self._remote = frozenset(canonical(model.name) for model in listed if model.remote)
        if self._names is None:
            await self._learn(listed)
            return [self._model(model.name, model) for model in listed if _can_chat(self._of(model))]
        named = {canonical(model.name): model for model in listed}
        wanted = {name: named.get(canonical(name)) for name in self._names}
        await self._learn([model for model in wanted.values() if model is not None])
        return [self._model(name, model) for name, model in wanted.items()]

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        """Make one answer; see the port.

        Emits `model.loading` where the server has to load the model for it, and `model.ready` when it answers.
        """
        asking = asyncio.create_task(self._tell_loading(request.model, emit), name=f"{self.name} loading")
        try:
            await asyncio.sleep(0)  # that question goes first: a model counts as loaded as soon as it is asked
            return await self._answer(request, asking, emit)
        finally:
            asking.cancel()
            await asyncio.wait([asking])

    async def embed(
        self, model: str, texts: Sequence[str], *, dimensions: int | None, more: Mapping[str, Any]
    ) -> Vectors:
        """Make vectors; see the port."""
        url, body = f"{self._base_url}/api/embed", ollama_body(model, texts, dimensions, more)
        exchange = await self._transport.open("POST", url, headers=self._headers, body=body)
        try:
            if exchange.status != HTTPStatus.OK:
                raise error_from(exchange, await error_body(exchange), host=self._host)
            return decode_ollama_reply(await exchange.read(_MAX_VECTORS_BYTES), len(texts))
        finally:
            exchange.close()

    async def close(self) -> None:
        """Close all connections; answers in the making are cut."""
        await self._transport.close()

    async def _answer(self, request: Request, asking: asyncio.Task[bool], emit: Emit) -> FinishReason:
        url, body = f"{self._base_url}/api/chat", encode_request(request)
        exchange = await self._transport.open("POST", url, headers=self._headers, body=body)
        try:
            loading = asking.done() and asking.result()
            asking.cancel()
            if exchange.status != HTTPStatus.OK:
                raise error_from(exchange, await error_body(exchange), host=self._host)
            if loading:
                emit([ModelReady(request.model)])
            return await receive(exchange, emit, think=not request.continues)
        finally:
            exchange.close()

    async def _learn(self, models: list[Listed]) -> None:
        """Find out what the list does not say of these models, and forget what was known of others."""
        known = {_key(model): model.shown or self._shown.get(_key(model)) for model in models}
        self._shown = {key: shown for key, shown in known.items() if shown is not None}
        at_once = asyncio.Semaphore(_SHOWS_AT_ONCE)
        try:
            async with asyncio.timeout(_SHOWS_S), asyncio.TaskGroup() as group:
                for model in models:
                    if _key(model) not in self._shown:
                        group.create_task(self._learn_one(model, at_once), name=f"{self.name} show")
        except TimeoutError:
            pass

    async def _learn_one(self, model: Listed, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            try:
                reply = await self._ask("POST", "/api/show", jsontext.encode({"model": model.name}))
                self._shown[_key(model)] = decode_show(_whole(*reply, self._host))
            except ProviderError:
                pass  # it is a model all the same

    async def _tell_loading(self, model: str, emit: Emit) -> bool:
        """Emit `model.loading` where the model is not loaded; return whether that was so."""
        name = canonical(model)
        if is_remote(model) or name in self._remote:
            return False
        try:
            loaded = decode_ps(_whole(*await self._ask("GET", "/api/ps"), self._host))
        except ProviderError:
            return False  # an old version, or one that fails: then the answer says how
        if name in {canonical(each.name) for each in loaded}:
            return False
        await asyncio.sleep(_NOTICED_S)
        emit([ModelLoading(model)])
        return True

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[Exchange, bytes]:
        exchange = await self._transport.open(method, self._base_url + path, headers=self._headers, body=body)
        try:
            return exchange, await exchange.read(_MAX_BYTES)
        finally:
            exchange.close()

    def _of(self, model: Listed | None) -> Shown:
        return Shown() if model is None else self._shown.get(_key(model), Shown())

    def _model(self, name: str, listed: Listed | None) -> Model:
        return Model(name=name, context_length=self._of(listed).context_length, can_continue=True)


def _host_of(name: str, base_url: str) -> str:
    """Return whom to ask there. Raises `SettingsError` where that cannot be."""
    host = parse(base_url).origin.host
    for wrong in _NOT_IN_BASE_URL:
        if base_url.endswith(wrong):
            raise SettingsError(
                f"The provider {name}: base_url ends in {wrong}. Of an Ollama it is the address alone: "
                f"{base_url.removesuffix(wrong)}."
            )
    return host


def _whole(exchange: Exchange, body: bytes, host: str) -> bytes:
    """Return the body of a reply. Raises `ProviderError` where its status is not 200."""
    if exchange.status != HTTPStatus.OK:
        raise error_from(exchange, body, host=host)
    return body


def _key(model: Listed) -> str:
    return model.digest or model.name


def _can_chat(shown: Shown) -> bool:
    return shown.capabilities is None or _CHATS in shown.capabilities
