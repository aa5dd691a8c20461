"""This module drives Ollama's own Python package."""

import json
from typing import Any

import ollama
from scenes import JSON_TEXT, PIXEL, SCHEMA, TEXT, check, play, stopped


def client(url: str) -> ollama.Client:
    return ollama.Client(host=f"{url}/ollama")


def said(content: str = "Hello", **more: Any) -> Any:
    return [{"role": "user", "content": content, **more}]


def weather(city: str) -> str:
    """Tell the weather."""
    return city


def plain(url: str) -> None:
    answer = client(url).chat("box/text", said())
    check((answer.message.content, answer.done_reason), (TEXT, "stop"))


def stream(url: str) -> None:
    lines = list(client(url).chat("box/text-r50-n5", said(), stream=True))
    check([line.message.content for line in lines], ["0 ", "1 ", "2 ", "3 ", "4 ", ""])


def error(url: str) -> None:
    for model, status in (("nobody", 404), ("box/eof-after-3", 502)):
        try:
            client(url).chat(model, said())
        except ollama.ResponseError as raised:
            check(raised.status_code, status)
        else:
            raise AssertionError("no error")
    try:
        list(client(url).chat("box/eof-after-3", said(), stream=True))
    except ollama.ResponseError:
        return
    raise AssertionError("no error in mid-answer")


def cancel(url: str) -> None:
    calling = client(url)
    lines: Any = calling.chat("box/silent-after-2", said(), stream=True)
    next(lines)
    lines.close()
    stopped(url, "box/silent-after-2")


def tool(url: str) -> None:
    answer = client(url).chat("box/tool", said(), tools=[weather])
    calls: Any = answer.message.tool_calls
    call = calls[0]
    check((call.function.name, call.function.arguments), ("weather", {"city": "Bern"}))


def image(url: str) -> None:
    answer = client(url).chat("box/echo", said("What is this?", images=[PIXEL]))
    check(answer.message.content, "What is this?")


def schema(url: str) -> None:
    answer = client(url).chat("box/echo", said(JSON_TEXT), format=SCHEMA)
    check(json.loads(answer.message.content or ""), {"x": 1})


def silence(url: str) -> None:
    lines = client(url).chat("box/text-r3-n4", said(), stream=True)
    check("".join(line.message.content or "" for line in lines), "0 1 2 3 ")


play(
    {
        "stream": stream,
        "plain": plain,
        "error": error,
        "cancel": cancel,
        "tool call": tool,
        "image": image,
        "JSON schema": schema,
        "silence": silence,
    }
)
