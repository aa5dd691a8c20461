"""This module asks any OpenAI-compatible server: llama.cpp, vLLM, LM Studio, OpenRouter, OpenAI itself.

Which of them it is shows in its list of models (`owned_by`). llama.cpp is asked to tell how far it has read the
prompt; it and vLLM can go on with an unfinished answer. Nothing else depends on it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headrace.core.errors import ProviderError
from headrace.core.events import FinishReason, ModelLoading, ModelReady
from headrace.core.messages import Request
from headrace.core.vectors import Vectors
from headrace.formats import jsontext
from headrace.formats.embeddings import decode_openai_reply, openai_body
from headrace.formats.openai_chat import encode_request
from headrace.net.client import Client
from headrace.net.origin import check_headers, parse
from headrace.net.port import Exchange, Transport
from headrace.providers.openai_reply import error_body, error_from, receive
from headrace.providers.port import Emit, Model

__all__ = ["OpenAI", "OpenAISettings"]

_MODELS_TIMEOUT_S = 5.0
_MAX_MODELS_BYTES = 8 * 1024 * 1024  # OpenRouter's list has some 500 kB
_MAX_VECTORS_BYTES = 128 * 1024 * 1024  # 2,048 vectors of 3,072 numbers, 20 characters each
_OPTIONS = "stream_options"
_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_LOADING_POLLS_S = (0.25, 0.5)  # then every second

_Continues = Literal["none", "prefill", "vllm"]
_CONTINUES: dict[str | None, _Continues] = {"llamacpp": "prefill", "vllm": "vllm"}


class OpenAISettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[providers.NAME]` of kind `openai`."""

    base_url: str
    """The address up to and with `/v1`, as `http://127.0.0.1:8080/v1`."""

    api_key: str | None = None
    """The key, sent as a bearer token."""

    models: tuple[str, ...] | None = None
    """The names of its models; without it the server is asked."""

    continues: Literal["auto", "none", "prefill", "vllm"] = "auto"
    """How it goes on with an unfinished answer: `auto` finds out, `prefill` sends it as the last message, `vllm` does so
    with vLLM's flags, `none` never."""

    headers: dict[str, str] = {}
    """Headers to send with every request."""

    slots: Annotated[int, Meta(ge=1)] | None = None
    """How many answers it makes at once; not set: it queues by itself."""

    def __repr__(self) -> str:
        """Show the address only: there are keys in the rest."""
        return f"OpenAISettings(base_url={self.base_url!r})"


class OpenAI:
    """Any OpenAI-compatible server; fills `providers.port.Provider`.

    Raises `SettingsError` where the settings cannot be sent. `transport` becomes its own: `close` closes it.
    """

    kind = "openai"

    def __init__(self, name: str, settings: OpenAISettings, *, transport: Transport | None = None) -> None:
        self.name = name
        self.slots = settings.slots
        self._settings = settings
        self._base_url = settings.base_url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        if settings.api_key is not None:
            self._headers["Authorization"] = f"Bearer {settings.api_key}"
        self._headers |= settings.headers
        self._host = parse(self._base_url).origin.host
        check_headers(self._headers)
        self._transport = transport or Client()
        self._server: str | None = None  # what it said it is, when it last listed its models
        self._takes_options = True  # whether it takes `stream_options`, as far as is known

    async def models(self) -> list[Model]:
        """Ask the server which models it has; see the port.

        With `models` in the settings those are returned, as long as it answers at all. A server that is still
        loading raises `overloaded` with `loading` in the details.
        """
        names = self._settings.models
        try:
            async with asyncio.timeout(_MODELS_TIMEOUT_S):
                exchange, body = await self._get("/models")
        except TimeoutError as error:
            raise ProviderError(
                f"{self._base_url}/models did not answer within {_MODELS_TIMEOUT_S:.0f} s. "
                "Check whether the model server is stuck.",
                code="upstream_silent",
            ) from error
        if _is_loading(exchange.status, body):
            raise ProviderError("The model's server is loading its model.", code="overloaded", loading=True)
        try:
            known = {model.id: model for model in _listed(exchange, body, self._host)}
        except ProviderError:
            if names is None:
                raise
            known = {}
        owners = {model.owned_by for model in known.values()}
        self._server = next((server for server in _CONTINUES if server in owners), "other")
        return [self._model(known.get(name, _Listed(id=name))) for name in (known if names is None else names)]

    async def generate(self, request: Request, emit: Emit) -> FinishReason:
        """Make one answer; see the port."""
        if request.continues and self._settings.continues == "auto" and self._server is None:
            await self.models()
        exchange = await self._answered(request, emit)
        try:
            return await receive(exchange, emit, think=not request.continues, extras=request.extras)
        finally:
            exchange.close()

    async def embed(
        self, model: str, texts: Sequence[str], *, dimensions: int | None, more: Mapping[str, Any]
    ) -> Vectors:
        """Make vectors; see the port. There is nothing in `more` for it."""
        del more
        body = openai_body(model, texts, dimensions)
        exchange = await self._transport.open("POST", f"{self._base_url}/embeddings", headers=self._headers, body=body)
        try:
            if exchange.status != HTTPStatus.OK:
                raise error_from(exchange, await error_body(exchange), host=self._host)
            return decode_openai_reply(await exchange.read(_MAX_VECTORS_BYTES), len(texts))
        finally:
            exchange.close()

    async def close(self) -> None:
        """Close all connections; answers in the making are cut."""
        await self._transport.close()

    @property
    def _continues(self) -> _Continues:
        wanted = self._settings.continues
        return _CONTINUES.get(self._server, "none") if wanted == "auto" else wanted

    def _model(self, listed: "_Listed") -> Model:
        return Model(name=listed.id, context_length=listed.context_length, can_continue=self._continues != "none")

    async def _get(self, path: str) -> tuple[Exchange, bytes]:
        exchange = await self._transport.open("GET", self._base_url + path, headers=self._headers)
        try:
            return exchange, await exchange.read(_MAX_MODELS_BYTES)
        finally:
            exchange.close()

    async def _answered(self, request: Request, emit: Emit) -> Exchange:
        """Return a reply with status 200, once the model is loaded. Raises `ProviderError` for any other."""
        polls = iter(_LOADING_POLLS_S)
        loading = False
        while True:
            with_options = self._takes_options
            exchange = await self._ask(request, with_options=with_options)
            if exchange.status == HTTPStatus.OK:
                if loading:
                    emit([ModelReady(request.model)])
                return exchange
            body = await error_body(exchange)
            if _is_loading(exchange.status, body):
                if not loading:
                    emit([ModelLoading(request.model)])
                loading = True
                await asyncio.sleep(next(polls, 1.0))
            elif with_options and exchange.status in _REFUSED and _OPTIONS.encode() in body:
                self._takes_options = False
            else:
                raise error_from(exchange, body, host=self._host)

    async def _ask(self, request: Request, *, with_options: bool) -> Exchange:
        extra: dict[str, Any] = {}
        if self._server == "llamacpp":
            extra |= {"return_progress": True, "timings_per_token": False}
        if request.continues:
            extra |= self._continuation(request)
        body = encode_request(request, stream=True, extra=extra)
        if not with_options:
            # servers that refuse it are few and old: encoding twice for them costs nobody else anything
            body = jsontext.encode({key: value for key, value in jsontext.decode(body).items() if key != _OPTIONS})
        return await self._transport.open(
            "POST", f"{self._base_url}/chat/completions", headers=self._headers, body=body
        )

    def _continuation(self, request: Request) -> dict[str, Any]:
        match self._continues:
            case "vllm":
                return {"add_generation_prompt": False, "continue_final_message": True}
            case "prefill" if self._server == "llamacpp":
                # llama.cpp refuses to go on with an answer while the template may think
                kwargs = request.parameters.get("chat_template_kwargs") or {}
                return {"chat_template_kwargs": {**kwargs, "enable_thinking": False}}
            case "prefill":
                return {}
            case "none":
                raise ProviderError(
                    f"The provider {self.name} cannot continue an answer. Use Regenerate instead.",
                    code="upstream_error",
                )


class _Listed(msgspec.Struct):
    """What we read of a listed model: `meta` at llama.cpp, `max_model_len` at vLLM, `context_length` at routers."""

    id: str
    owned_by: Any = None
    meta: Any = None
    max_model_len: Any = None
    context_length_: Any = msgspec.field(default=None, name="context_length")
    max_context_length: Any = None

    @property
    def context_length(self) -> int | None:
        """The tokens that one answer may see, prompt and all; None where it is not told."""
        meta = self.meta if isinstance(self.meta, dict) else {}
        told = (meta.get("n_ctx"), self.max_model_len, self.context_length_, self.max_context_length)
        return next((each for each in (*told, meta.get("n_ctx_train")) if isinstance(each, int) and each > 0), None)


class _List(msgspec.Struct):
    data: list[_Listed]


def _listed(exchange: Exchange, body: bytes, host: str) -> list[_Listed]:
    if exchange.status != HTTPStatus.OK:
        raise error_from(exchange, body, host=host)
    try:
        listed = msgspec.json.decode(body, type=_List | list[_Listed])  # Together sends a bare list
    except msgspec.MsgspecError as error:
        raise ProviderError(
            "The model's server did not answer /models with a list of models. Check the provider's base_url: it "
            "usually ends in /v1. A server without such a list needs `models` in its settings.",
            code="upstream_garbled",
        ) from error
    return listed.data if isinstance(listed, _List) else listed


def _is_loading(status: int, body: bytes) -> bool:
    return status == HTTPStatus.SERVICE_UNAVAILABLE and b"oading model" in body
