"""This module is `headrace chat`: a conversation at the terminal, or one message and its answer."""

import sys

import click

from headrace.cli.api import Api
from headrace.cli.api_client import FAILED, INTERRUPTED, call, url_option
from headrace.cli.api_replies import Made
from headrace.cli.chat_answer import answer
from headrace.cli.chat_session import Session
from headrace.cli.screen import Screen, raw_option, standard
from headrace.cli.screen_run import RunView
from headrace.cli.turn import Turn
from headrace.core.events import RunFinished, RunInterrupted

__all__ = ["chat"]


@click.command()
@click.argument("message", required=False)
@click.option("--model", help="The model that answers, as provider/model.")
@click.option("--chat", "chat_id", type=click.IntRange(min=1), help="Go on in this chat; otherwise a new one is made.")
@click.option("--system", help="The system prompt of the new chat.")
@raw_option
@url_option
def chat(
    *, message: str | None, model: str | None, chat_id: int | None, system: str | None, raw: bool, url: str
) -> None:
    """Send MESSAGE and print the answer as it is made; without MESSAGE, chat.

    Without MESSAGE at a terminal there is a prompt; /help lists its commands. Otherwise the message is what standard
    input holds. Ctrl-C stops the run.

    Only answers go to standard output; what happens around them goes to standard error. What a terminal would take
    for a command in an answer is shown escaped. NO_COLOR switches colours and the status line off.

    The exit status is 0 when the model ended its answer, 1 when it did not, 2 when there is no server, 130 after
    Ctrl-C. HEADRACE_TOKEN holds the access token, if the server wants one.
    """
    if chat_id is not None and system is not None:
        raise click.UsageError("--system is for a new chat: leave out --chat.")
    screen = standard(raw=raw)
    text = _read() if message is None and not sys.stdin.isatty() else message

    async def talk(api: Api) -> int:
        if text is None:
            return await Session(api, screen, url=url, chat_id=chat_id, model=model, system=system).run()
        return await _ask(api, screen, _clean(text), model=model, chat_id=chat_id, system=system)

    sys.exit(call(url, screen, talk))


async def _ask(
    api: Api, screen: Screen, message: str, *, model: str | None, chat_id: int | None, system: str | None
) -> int:
    if chat_id is None:
        body = {"system_prompt": system} if system is not None else {}
        chat_id = (await api.ask("POST", "/chats", Made, body)).id
        screen.note(f"chat {chat_id}")
    asked = {"content": message, **({"model": model} if model else {})}
    answered = await answer(Turn.start(api, f"/chats/{chat_id}/turns", asked), RunView(screen))
    if answered.interrupted:
        return INTERRUPTED
    if isinstance(answered.terminal, RunInterrupted):
        screen.note(f"`headrace chat --chat {chat_id}` and then /continue goes on with it")
    return 0 if isinstance(answered.terminal, RunFinished) else FAILED


def _read() -> str:
    text = sys.stdin.read()
    if not text.strip():
        raise click.UsageError("There is no message: give one, or write it to standard input.")
    return text


def _clean(text: str) -> str:
    # bytes that are not UTF-8 come as halves of pairs, which no JSON takes
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
