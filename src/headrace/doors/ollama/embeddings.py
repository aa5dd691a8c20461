"""This module is the door of Ollama's embeddings.

Source: Ollama, `docs/api.md`, "Generate Embeddings".
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.doors.embeddings import vectors_for
from headrace.doors.house import house_of
from headrace.doors.ollama.chat import BODY
from headrace.formats.embeddings import decode_ollama, encode_ollama

__all__ = ["router"]

_NS_IN_S = 1_000_000_000

router = APIRouter(tags=["ollama"])


@router.post("/embed", openapi_extra=BODY)
async def embed(request: Request) -> Response:
    """Make vectors of texts."""
    clock = house_of(request).clock
    began = clock.monotonic()
    asked = decode_ollama(await request.body())
    made = await vectors_for(request, asked)
    if made is None:
        return Response(status_code=204)  # nobody reads it
    vectors, model = made
    took = round((clock.monotonic() - began) * _NS_IN_S)
    return Response(encode_ollama(vectors, model=model, total_ns=took), media_type="application/json")
