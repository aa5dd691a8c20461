"""This module is the door of the language tutor.

Source: "The five systems that Headrace replaces", "3. Tutor".
"""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import StringConstraints
from starlette.responses import Response

from headrace.doors.contracts import serving
from headrace.formats.tutor import Encoder

__all__ = ["router"]

router = APIRouter(tags=["tutor"])

Language = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\pL[\pL\pM\d '(),._-]{1,59}$")]
"""An English name or a language code, as `spanish`, `Portuguese (Brazil)`, `es-419`."""

Level = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Ca-c][12]$")]
"""A level of the Common European Framework, A1 to C2."""


class Said(serving.Asking):
    """What the learner said."""

    conversation_id: serving.ChatId
    user_message: serving.Text
    language: Language
    difficulty_level: Level


@router.post("/chat/stream", responses=serving.STREAM)
async def stream_answer(request: Request, body: Said) -> Response:
    """Answer a learner, token by token."""
    return await serving.stream(request, await _begun(request, body), Encoder(), door="tutor")


@router.post("/chat", responses=serving.WHOLE)
async def answer(request: Request, body: Said) -> Response:
    """Answer a learner in one piece."""
    return await serving.whole(request, await _begun(request, body), Encoder(), door="tutor")


async def _begun(request: Request, body: Said) -> str:
    turn = await serving.begin(
        request,
        body.conversation_id,
        body.user_message,
        serving.asked_for(body),
        system_prompt=_instructions(body.language, body.difficulty_level),
    )
    return turn.run_id


def _instructions(language: str, level: str) -> str:
    """Return what the model is told of the lesson."""
    return (
        f"You are a friendly partner for practising a language: {language}. Answer in that language, briefly, in words "
        f"and grammar that a learner at CEFR level {level} understands, and keep the conversation going."
    )
