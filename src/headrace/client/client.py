"""This module is the client of a server's own API: chats, turns, runs and models."""

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Self
from uuid import UUID, uuid4

import msgspec

from headrace.client import replies
from headrace.client.answer import Answer, Patience, Start
from headrace.client.api import Api, encode, query, run_path
from headrace.core.messages import ImagePart, TextPart
from headrace.core.status import EndStatus
from headrace.net import client as net

__all__ = ["Chats", "Client", "Messages", "Models", "Runs"]

_DEFAULT_URL = "http://127.0.0.1:8000"
_SILENCE_S = 40.0  # room for two of the server's keepalives, which come every 15 s
_AWAY_S = 300.0

Parameters = Mapping[str, Any]


class Client:
    """A client of one server: an async context manager, for one event loop.

    `base_url` is the server's root; left out, it is HEADRACE_URL, and the token HEADRACE_TOKEN: a token of the
    environment goes to no other server. A connection that is silent for `silence_s` counts as broken; one that is lost
    is made again for `away_s` (`math.inf`: for ever).

    Every call raises errors of `core.errors` with the server's code, message and details, and `Unreachable`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        token: str | None = None,
        *,
        silence_s: float = _SILENCE_S,
        away_s: float = _AWAY_S,
    ) -> None:
        if base_url is None:
            base_url = os.environ.get("HEADRACE_URL") or _DEFAULT_URL
            token = token or os.environ.get("HEADRACE_TOKEN")
        self._transport = net.Client()
        self._api = Api(self._transport, base_url, token)
        self._patience = Patience(silence_s, away_s)
        self._tasks: set[asyncio.Task[None]] = set()
        self.chats = Chats(self._api)
        self.messages = Messages(self._api)
        self.runs = Runs(self._api)
        self.models = Models(self._api)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. Runs go on; an answer that is being read raises `Unreachable` (`closed`)."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._transport.close()

    def turn(
        self,
        chat_id: int,
        content: str | Sequence[TextPart | ImagePart],
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        parent_id: int | msgspec.UnsetType | None = msgspec.UNSET,
        client_id: UUID | None = None,
        template_id: int | None = None,
        document_ids: Sequence[int] | None = None,
    ) -> Answer:
        """Return the answer to a new message of the user's; the request is sent when it is first read.

        The message answers `parent_id`: left out, the chat's current leaf; None, nothing (a new beginning). The same
        `client_id` twice is the same turn; left out, one is made.
        """
        said = {"content": content} if isinstance(content, str) else {"parts": list(content)}
        more = {"parent_id": parent_id, "template_id": _given(template_id), "document_ids": _given(document_ids)}
        return self._started(f"/chats/{chat_id}/turns", {**said, **more}, model, parameters, client_id)

    def regenerate(
        self,
        message_id: int,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        client_id: UUID | None = None,
    ) -> Answer:
        """Return another answer beside this message, or below it where it is the user's. See `turn`."""
        return self._started(f"/messages/{message_id}/regenerate", {}, model, parameters, client_id)

    def resume(
        self,
        message_id: int,
        *,
        model: str | None = None,
        parameters: Parameters | None = None,
        client_id: UUID | None = None,
    ) -> Answer:
        """Return how an answer that was cut goes on; the same message grows. See `turn`.

        Its parts are the new ones: `core.fold.join` puts them to those before.
        """
        return self._started(f"/messages/{message_id}/continue", {}, model, parameters, client_id)

    def follow(self, run_id: str, *, after: int = -1, speed: float = 0.0) -> Answer:
        """Return a run that there is, from the event after `after` on; nothing where its last one is not after that.

        With `speed` the events come with the timing that they had, so many times as fast; 0 is at once.
        """
        return Answer(self._api, self._spawn, of=run_id, patience=self._patience, after=after, speed=speed)

    def _started(
        self,
        path: str,
        fields: Mapping[str, Any],
        model: str | None,
        parameters: Parameters | None,
        client_id: UUID | None,
    ) -> Answer:
        how = {"model": _given(model), "parameters": _given(parameters), "client_id": str(client_id or uuid4())}
        start = Start(path, encode({**fields, **how}))
        return Answer(self._api, self._spawn, of=start, patience=self._patience)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name="headrace answer")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class Chats:
    """The caller's chats."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def create(
        self,
        *,
        title: str | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
        parameters: Parameters | None = None,
    ) -> replies.Chat:
        """Make a chat. `model` and `parameters` hold for its turns unless a turn says otherwise."""
        fields = {"title": title, "model": model, "system_prompt": system_prompt, "parameters": _given(parameters)}
        return await self._api.ask("POST", "/chats", replies.Chat, encode(fields))

    async def list(
        self, *, matching: str | None = None, limit: int | None = None, before: str | None = None
    ) -> replies.ChatPage:
        """Return a page of chats, the last used first; with `matching` those that have it in title or messages."""
        return await self._api.ask(
            "GET", f"/chats{query(query=matching, limit=limit, before=before)}", replies.ChatPage
        )

    async def get(self, chat_id: int) -> replies.Tree:
        """Return a chat with its messages."""
        return await self._api.ask("GET", f"/chats/{chat_id}", replies.Tree)

    async def change(
        self,
        chat_id: int,
        *,
        title: str | msgspec.UnsetType | None = msgspec.UNSET,
        model: str | msgspec.UnsetType | None = msgspec.UNSET,
        system_prompt: str | msgspec.UnsetType | None = msgspec.UNSET,
        parameters: Parameters | msgspec.UnsetType = msgspec.UNSET,
        leaf_id: int | msgspec.UnsetType = msgspec.UNSET,
    ) -> replies.Chat:
        """Change what is given; None clears. `leaf_id` is the message at which the conversation goes on."""
        fields = {"title": title, "model": model, "system_prompt": system_prompt, "parameters": parameters}
        body = encode({**fields, "leaf_id": leaf_id})
        return await self._api.ask("PATCH", f"/chats/{chat_id}", replies.Chat, body)

    async def delete(self, chat_id: int) -> None:
        """Remove a chat: its runs are stopped, its messages and all their events are gone."""
        await self._api.ask("DELETE", f"/chats/{chat_id}", type(None))


class Messages:
    """The messages of the caller's chats."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def get(self, message_id: int) -> replies.Message:
        """Return a message. While it is being made, `follow(runs[-1], after=seq)` goes on without a gap."""
        return await self._api.ask("GET", f"/messages/{message_id}", replies.Message)

    async def delete(self, message_id: int) -> None:
        """Remove a message and all that follows it."""
        await self._api.ask("DELETE", f"/messages/{message_id}", type(None))


class Runs:
    """The caller's runs."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(
        self, *, statuses: Sequence[str] = (), limit: int | None = None, before: str | None = None
    ) -> replies.RunPage:
        """Return a page of runs, the newest first; with `statuses` those that have one of them."""
        status = ",".join(statuses) or None
        return await self._api.ask("GET", f"/runs{query(status=status, limit=limit, before=before)}", replies.RunPage)

    async def get(self, run_id: str) -> replies.Run:
        """Return one run."""
        return await self._api.ask("GET", run_path(run_id), replies.Run)

    async def stop(self, run_id: str) -> EndStatus:
        """Stop a run and return how it ended, which is durable then. Harmless when repeated."""
        return (await self._api.ask("POST", f"{run_path(run_id)}/stop", replies.Stopped)).status


class Models:
    """The models of the server's providers."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def list(self) -> tuple[replies.Model, ...]:
        """Return all models, those of providers that are down included."""
        return (await self._api.ask("GET", "/models", replies.Models)).models

    async def get(self, model_id: str) -> replies.Model | None:
        """Return the model with this id, as `provider/model`, or None."""
        return next((model for model in await self.list() if model.id == model_id), None)


def _given(value: Any) -> Any:
    return msgspec.UNSET if value is None else value
