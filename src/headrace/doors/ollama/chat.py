"""This module is the door of Ollama's chats and completions.

Source: Ollama, `docs/api.md`. A request is a run outside every chat. `/api/generate` at the root is Relay's.
"""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.chat.turns import Asked
from headrace.core.errors import NotImplementedHere
from headrace.doors.contracts import serving
from headrace.doors.house import House, house_of, principal_of
from headrace.formats.asking import refuse
from headrace.formats.ollama_asked import Question, decode_chat, decode_generate
from headrace.formats.ollama_encoder import ChatEncoder, GenerateEncoder
from headrace.models.catalogue import Target

__all__ = ["BODY", "completions", "router"]

router = APIRouter(tags=["ollama"])

completions = APIRouter(tags=["ollama"])
"""What has no place at the root."""

BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}
"""For OpenAPI: the format is Ollama's, whose own documents say what is in it."""

ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer, as it is made or in one piece.", "content": {"application/x-ndjson": {}}}
}


@router.post("/chat", responses=ANSWER, openapi_extra=BODY)
async def chat(request: Request) -> Response:
    """Answer a conversation as it is made, or, without `stream`, in one piece."""
    return await _answer(request, decode_chat(await request.body()), ChatEncoder)


@completions.post("/generate", responses=ANSWER, openapi_extra=BODY)
async def generate(request: Request) -> Response:
    """Answer a prompt as it is made, or, without `stream`, in one piece."""
    return await _answer(request, decode_generate(await request.body()), GenerateEncoder)


async def _answer(request: Request, question: Question, encoder: type[ChatEncoder] | type[GenerateEncoder]) -> Response:
    principal, house = principal_of(request), house_of(request)
    if not question.messages:
        raise NotImplementedHere("Headrace loads and unloads models by itself: ask something.")
    parameters = {**question.parameters, **await _own(house, question)}
    asked = Asked(model=question.model, parameters=parameters)
    run = await house.turns.alone(principal, question.messages, asked)
    serve = serving.stream if question.stream else serving.whole
    made = encoder(model=question.model, created_ms=house.clock.now_ms())
    return await serve(request, run.id, made, door="ollama")


async def _own(house: House, question: Question) -> dict[str, Any]:
    """Return what of the fields that are Ollama's own goes to whoever answers. Raises `NotAvailable`."""
    if not question.own:
        return {}
    target = await house.catalogue.resolve(question.model)
    if target.provider.kind == "ollama":
        return question.own
    options = dict(question.own.get("options", {}))
    context = _context_of(house, target)
    if isinstance(options.get("num_ctx"), int) and context is not None and options["num_ctx"] <= context:
        del options["num_ctx"]  # it has as much
    for name in options:
        raise refuse(f"options.{name}", f"{target.id} is not asked over Ollama's API, and has nothing for {name!r}.")
    return _effort(question.own.get("think"), target)


def _context_of(house: House, target: Target) -> int | None:
    return next((entry.context_length for entry in house.catalogue.entries() if entry.id == target.id), None)


def _effort(think: bool | str | None, target: Target) -> dict[str, Any]:  # noqa: FBT001  the field's own value
    """Return what OpenAI's format has for `think`: how much, or not at all. That it thinks is a model's own way."""
    if isinstance(think, str):
        return {"reasoning_effort": think}
    if think is None:
        return {}
    if target.provider.kind == "embedded":
        return {"chat_template_kwargs": {"enable_thinking": think}}
    return {} if think else {"reasoning_effort": "none"}
