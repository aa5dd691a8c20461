"""This module drives LangChain's chat classes: `python drive_langchain.py URL openai` (or `ollama`)."""

import sys
from typing import Any

import ollama
import openai
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool as as_tool
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from scenes import IMAGE, JSON_TEXT, SCHEMA, TEXT, check, play, stopped

KIND = sys.argv[2]
ERRORS: tuple[type[Exception], ...] = (openai.APIError,) if KIND == "openai" else (ollama.ResponseError,)


def model(url: str, name: str) -> BaseChatModel:
    if KIND == "openai":
        return ChatOpenAI(model=name, base_url=f"{url}/v1", api_key="none", max_retries=0)  # type: ignore[arg-type] # a text will do
    return ChatOllama(model=name, base_url=f"{url}/ollama")


@as_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return city


def plain(url: str) -> None:
    check(model(url, "box/text").invoke("Hello").content, TEXT)


def stream(url: str) -> None:
    chunks = [chunk.content for chunk in model(url, "box/text-r50-n5").stream("Hello")]
    check([chunk for chunk in chunks if chunk], ["0 ", "1 ", "2 ", "3 ", "4 "])


def error(url: str) -> None:
    for name in ("nobody", "box/eof-after-3"):
        try:
            list(model(url, name).stream("Hello"))
        except ERRORS:
            continue
        raise AssertionError(f"no error of {name}")


def cancel(url: str) -> None:
    chunks: Any = model(url, "box/silent-after-2").stream("Hello")
    next(chunks)
    chunks.close()
    stopped(url, "box/silent-after-2")


def tool(url: str) -> None:
    (call,) = model(url, "box/tool").bind_tools([weather]).invoke("Hello").tool_calls
    check((call["name"], call["args"]), ("weather", {"city": "Bern"}))


def image(url: str) -> None:
    content: Any = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    answer = model(url, "box/echo").invoke([HumanMessage(content=content)])
    check(str(answer.content).strip(), "What is this?")  # ChatOllama puts a line end before each text


def schema(url: str) -> None:
    form = {"title": "answer", "description": "It.", **SCHEMA}
    structured = model(url, "box/echo").with_structured_output(form, method="json_schema")
    check(structured.invoke(JSON_TEXT), {"x": 1})


def silence(url: str) -> None:
    check("".join(str(chunk.content) for chunk in model(url, "box/text-r3-n4").stream("Hello")), "0 1 2 3 ")


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
