"""This module is the door of OpenAI's chat completions.

Source: OpenAI's API reference, "Create chat completion". A request is a run outside every chat, unless the header
`Headrace-Chat` names the chat in which its last message and the answer are kept.
"""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.chat.turns import Asked
from headrace.core.errors import BadField, BadRequest
from headrace.core.messages import Message
from headrace.doors.contracts import serving
from headrace.doors.heads import header_of
from headrace.doors.house import House, house_of, principal_of
from headrace.formats.openai_chat import Encoder, TextEncoder, completion_id
from headrace.formats.openai_chat_asked import Question, decode_completion, decode_request
from headrace.models.catalogue import Target

__all__ = ["BODY", "body_of", "direct_completion", "router", "takes_all"]

_MAX_CHAT_DIGITS = 18

_CHAT = "Headrace-Chat"

router = APIRouter(tags=["openai"])

BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}
"""For OpenAPI: the format is OpenAI's, whose own documents say what is in it."""


@router.post("/chat/completions", responses=serving.STREAM, openapi_extra=BODY)
async def complete_chat(request: Request) -> Response:
    """Answer a conversation, in one piece or, with `stream`, as it is made."""
    return await _complete(request)


@router.post("/completions", responses=serving.STREAM, openapi_extra=BODY)
async def complete_text(request: Request) -> Response:
    """Answer a prompt with text alone, as OpenAI's older API does."""
    question = decode_completion(await body_of(request))
    run_id = await _begun(request, question)
    return await _serve(request, run_id, question, TextEncoder, "cmpl")


async def direct_completion(request: Request, _place: str) -> Response | None:
    """Do the same as `complete_chat`. See `doors.direct`."""
    return await _complete(request)


async def body_of(request: Request) -> bytes:
    """Return the body of a request. Raises `BadRequest` where it is not said to be JSON, as browsers' forms do not."""
    if not (header_of(request, b"content-type") or "").startswith("application/json"):
        raise BadRequest("The body is not said to be JSON. Send it with Content-Type: application/json.")
    return await request.body()


def takes_all(target: Target) -> bool:
    """Return whether whoever answers speaks OpenAI's format, so that all of a request can be handed on."""
    return target.provider.kind in {"openai", "embedded"}


async def _check_special(house: House, question: Question) -> None:
    """Raise `BadField` where what is asked for cannot be handed on to whoever answers; `ProviderError` for nobody."""
    if not question.special:
        return
    target = await house.catalogue.resolve(question.model)
    if not takes_all(target):
        field = question.special[0]
        raise BadField(
            f"{target.id} is not asked in OpenAI's format ({target.provider.kind}), and has nothing for {field!r}. "
            "Leave it out, or name another model.",
            field=field,
            code="not_available",
        )


async def _complete(request: Request) -> Response:
    question = decode_request(await body_of(request))
    run_id = await _begun(request, question)
    return await _serve(request, run_id, question, Encoder, "chatcmpl")


async def _begun(request: Request, question: Question) -> str:
    """Start the run, in the chat that the header names or outside every chat, and return its id."""
    principal, house = principal_of(request), house_of(request)
    await _check_special(house, question)
    asked = Asked(model=question.model, parameters=question.parameters)
    chat_id = _chat(request)
    if chat_id is not None:
        return await _kept(request, chat_id, question.messages, asked)
    return (await house.turns.alone(principal, question.messages, asked, extras=True)).id


async def _serve(request: Request, run_id: str, question: Question, kind: type[Encoder], prefix: str) -> Response:
    encoder = kind(
        completion_id=completion_id(run_id, prefix),
        model=question.model,
        created=house_of(request).clock.now_ms() // 1000,
        include_usage=question.include_usage,
    )
    serve = serving.stream if question.stream else serving.whole
    return await serve(request, run_id, encoder, door="openai")


def _chat(request: Request) -> int | None:
    given = header_of(request, _CHAT.lower().encode())
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= _MAX_CHAT_DIGITS):
        raise BadField(f"{_CHAT} is the number of a chat, as `17`.", field=_CHAT)
    return int(given)


async def _kept(request: Request, chat_id: int, messages: tuple[Message, ...], asked: Asked) -> str:
    last = messages[-1]
    if last.role != "user" or not last.parts:
        raise BadField(
            f"With {_CHAT} the last message is the user's, and not empty: it is what the chat keeps.",
            field=f"messages.{len(messages) - 1}.role",
        )
    turn = await serving.begin(request, chat_id, "", asked, parts=last.parts, messages=messages)
    return turn.run_id
