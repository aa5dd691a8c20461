"""This module drives OpenAI's own Python package, of any version since 1.0."""

import json
from typing import Any

import openai
from scenes import IMAGE, JSON_TEXT, SCHEMA, TEXT, check, play, stopped

TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def said(content: Any = "Hello") -> Any:
    return [{"role": "user", "content": content}]


def plain(url: str) -> None:
    answer = client(url).chat.completions.create(model="box/text", messages=said())
    check((answer.choices[0].message.content, answer.choices[0].finish_reason), (TEXT, "stop"))


def stream(url: str) -> None:
    chunks = list(client(url).chat.completions.create(model="box/text-r50-n5", messages=said(), stream=True))
    check(
        [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content],
        ["0 ", "1 ", "2 ", "3 ", "4 "],
    )


def error(url: str) -> None:
    try:
        client(url).chat.completions.create(model="nobody", messages=said())
    except openai.NotFoundError as raised:
        check(raised.code, "model_not_found")
    else:
        raise AssertionError("no error")
    try:
        list(client(url).chat.completions.create(model="box/eof-after-3", messages=said(), stream=True))
    except openai.APIError as raised:
        check(raised.code, "upstream_closed")
    else:
        raise AssertionError("no error in mid-answer")


def cancel(url: str) -> None:
    calling = client(url)
    answer = calling.chat.completions.create(model="box/silent-after-2", messages=said(), stream=True)
    next(iter(answer))
    answer.close()
    stopped(url, "box/silent-after-2")


def tool(url: str) -> None:
    answer = client(url).chat.completions.create(model="box/tool", messages=said(), tools=TOOLS)
    calls: Any = answer.choices[0].message.tool_calls
    function = calls[0].function
    check((function.name, json.loads(function.arguments)), ("weather", {"city": "Bern"}))


def image(url: str) -> None:
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    answer = client(url).chat.completions.create(model="box/echo", messages=said(content))
    check(answer.choices[0].message.content, "What is this?")


def schema(url: str) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
    answer = client(url).chat.completions.create(model="box/echo", messages=said(JSON_TEXT), response_format=form)
    check(json.loads(answer.choices[0].message.content or ""), {"x": 1})


def silence(url: str) -> None:
    chunks = client(url).chat.completions.create(model="box/text-r3-n4", messages=said(), stream=True)
    check("".join(chunk.choices[0].delta.content or "" for chunk in chunks), "0 1 2 3 ")


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
