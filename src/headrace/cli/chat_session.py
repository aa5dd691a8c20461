"""This module is an interactive chat: what a person types, what is answered, until they leave."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from headrace.cli.api import Api, Refused
from headrace.cli.api_client import reason
from headrace.cli.api_replies import Chat, Made, Message, Model, Models, Tree
from headrace.cli.chat_answer import answer, interrupts
from headrace.cli.chat_commands import COMMANDS, Given, help_text, parse
from headrace.cli.chat_past import branch, show_past
from headrace.cli.chat_prompt import Prompt, history_file, keys_held
from headrace.cli.screen import Screen
from headrace.cli.screen_run import RunView
from headrace.cli.turn import Turn
from headrace.core.errors import HeadraceError
from headrace.core.events import RunFinished
from headrace.core.status import LIVE

__all__ = ["Session"]

_UP = "up"


class Session:
    """One chat after the other with the server at `url`. `model` None is the chat's, or the server's choice."""

    def __init__(
        self, api: Api, screen: Screen, *, url: str, chat_id: int | None, model: str | None, system: str | None
    ) -> None:
        self._api = api
        self._screen = screen
        self._url = url
        self._chat_id = chat_id
        self._model = model
        self._system = system
        self._models: Sequence[str] = ()
        self._left = False
        self._unsent = ""
        self._prompt = Prompt(history_file(), self._words)
        self._doing: asyncio.Task[None] | None = None
        self._commands: Mapping[str, Callable[[str], Awaitable[None]]] = {
            "new": self._new,
            "model": self._choose_model,
            "retry": self._retry,
            "continue": self._continue,
            "system": self._set_system,
            "help": self._help,
            "quit": self._quit,
        }

    async def run(self) -> int:
        """Talk until the person leaves; return the exit status.

        Raises `Unreachable`, `Refused` and `ProviderError` where there is no server, or no such chat, to begin with.
        """
        await self._list_models()
        with keys_held(), interrupts(self._interrupt):
            if self._chat_id is None:
                self._screen.note("/help lists the commands, Ctrl-D leaves")
            else:
                await self._open(self._chat_id)
            while not self._left:
                await self._turn()
        return 0

    async def _turn(self) -> None:
        try:
            line = await self._prompt.ask(self._unsent)
        except EOFError:
            self._left = True
            return
        except KeyboardInterrupt:
            self._screen.note("Ctrl-D or /quit leaves")
            return
        self._unsent = ""
        if line.strip():
            self._doing = asyncio.create_task(self._do(line), name="line of a chat")
            await asyncio.wait([self._doing])
            if not self._doing.cancelled():
                self._doing.result()

    def _interrupt(self) -> None:
        """Take Ctrl-C where neither the prompt nor an answer takes it."""
        if self._doing is not None:
            self._doing.cancel()

    async def _do(self, line: str) -> None:
        given = parse(line)
        try:
            if given is None:
                await self._send(line)
            else:
                await self._command(given)
        except HeadraceError as error:
            self._screen.clear_status()
            self._screen.end_line()
            self._screen.note(reason(error, self._url))
            self._advise(error)
            if given is None and not _was_stored(error):
                self._unsent = line

    def _advise(self, error: HeadraceError) -> None:
        if error.code == "continue_unsupported":
            self._screen.note("/retry makes another answer")
        if error.code == "chat_busy":
            self._screen.note(f"headrace runs follow {error.details.get('run_id')} shows it")

    async def _command(self, given: Given) -> None:
        command = self._commands.get(given.name)
        if command is None:
            self._screen.note(f"there is no command /{given.name}; /help lists them. A space before it sends it.")
        else:
            await command(given.argument)

    async def _send(self, text: str) -> None:
        if self._chat_id is None:
            given = {"model": self._model, "system_prompt": self._system}
            body = {name: value for name, value in given.items() if value}
            self._chat_id = (await self._api.ask("POST", "/chats", Made, body)).id
            self._screen.note(f"chat {self._chat_id}")
        await self._answer(Turn.start(self._api, f"/chats/{self._chat_id}/turns", {"content": text, **self._asked()}))

    async def _answer(self, turn: Turn, *, model: str | None = None) -> None:
        answered = await answer(turn, RunView(self._screen, model=model))
        cut = not isinstance(answered.terminal, RunFinished) or answered.terminal.reason == "length"
        if answered.terminal is not None and cut:
            self._screen.note("/continue goes on with it, /retry makes another answer")

    async def _open(self, chat_id: int) -> None:
        """Show a chat's last messages, and go on with what is still being answered there."""
        chat = await self._api.ask("GET", f"/chats/{chat_id}", Tree)
        messages = branch(chat)
        self._screen.note(f"chat {chat_id}: {chat.title}" if chat.title else f"chat {chat_id}")
        show_past(self._screen, messages)
        last = messages[-1] if messages else None
        if last is not None and last.status in LIVE and last.runs:
            turn = Turn.join(self._api, last.runs[-1], after=-1 if last.seq is None else last.seq)
            await self._answer(turn, model=last.model)

    async def _new(self, _argument: str) -> None:
        self._chat_id = None
        self._screen.note("a new chat" + (", with the same system prompt" if self._system else ""))

    async def _choose_model(self, name: str) -> None:
        listed = await self._list_models()
        if name:
            self._model = name
            known = any(name in {model.id, model.name} for model in listed)
            self._screen.note(f"{name} answers from now on" + ("" if known else ", if it can: no provider lists it"))
            return
        for model in listed:
            state = "" if model.state == _UP else f" ({model.state}: {model.reason})"
            self._screen.note(f"{'*' if model.id == self._model else ' '} {model.id}{state}")
        if not listed:
            self._screen.note("there are no models; `headrace models` says why")

    async def _retry(self, _argument: str) -> None:
        last = await self._last_message()
        if last is not None:
            await self._answer(Turn.start(self._api, f"/messages/{last.id}/regenerate", self._asked()))

    async def _continue(self, _argument: str) -> None:
        last = await self._last_message()
        if last is not None:
            await self._answer(Turn.start(self._api, f"/messages/{last.id}/continue", {}))

    async def _set_system(self, text: str) -> None:
        if not text:
            self._tell_system(await self._system_now())
            return
        self._system = None if text == "-" else text
        if self._chat_id is not None:
            await self._api.ask("PATCH", f"/chats/{self._chat_id}", Chat, {"system_prompt": self._system})
        self._tell_system(self._system)

    async def _system_now(self) -> str | None:
        if self._chat_id is None:
            return self._system
        return (await self._api.ask("GET", f"/chats/{self._chat_id}", Chat)).system_prompt

    def _tell_system(self, text: str | None) -> None:
        self._screen.note(f"system prompt: {text}" if text else "no system prompt")

    async def _help(self, _argument: str) -> None:
        for line in help_text():
            self._screen.note(line)

    async def _quit(self, _argument: str) -> None:
        self._left = True

    async def _last_message(self) -> Message | None:
        messages: list[Message] = []
        if self._chat_id is not None:
            messages = branch(await self._api.ask("GET", f"/chats/{self._chat_id}", Tree))
        if not messages:
            self._screen.note("there is no message yet")
            return None
        return messages[-1]

    async def _list_models(self) -> Sequence[Model]:
        listed = (await self._api.ask("GET", "/models", Models)).models
        self._models = [model.id for model in listed]
        return listed

    def _asked(self) -> dict[str, str]:
        return {"model": self._model} if self._model else {}

    def _words(self, line: str) -> list[str]:
        """Return what Tab may make of a line."""
        if line.startswith("/model "):
            return [f"/model {model}" for model in self._models]
        return [f"/{command.name}" for command in COMMANDS] if line.startswith("/") else []


def _was_stored(error: HeadraceError) -> bool:
    """Return whether the message reached the chat although its answer failed."""
    return isinstance(error, Refused) and "run_id" in error.details and error.code != "chat_busy"
