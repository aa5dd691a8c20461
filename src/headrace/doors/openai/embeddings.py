"""This module is the door of OpenAI's embeddings.

Source: OpenAI's API reference, "Create embeddings".
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.doors.embeddings import vectors_for
from headrace.doors.openai.chat import BODY, body_of
from headrace.formats.embeddings import decode_openai, encode_openai

__all__ = ["router"]

router = APIRouter(tags=["openai"])


@router.post("/embeddings", openapi_extra=BODY)
async def embed(request: Request) -> Response:
    """Make vectors of texts."""
    asked = decode_openai(await body_of(request))
    made = await vectors_for(request, asked)
    if made is None:
        return Response(status_code=204)  # nobody reads it
    vectors, model = made
    return Response(encode_openai(asked, vectors, model=model), media_type="application/json")
