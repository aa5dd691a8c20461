"""This module makes templates, in the words of the tests."""

from typing import Any

from system.calls import Caller

__all__ = ["STUDIO", "TRANSLATE", "make"]

TRANSLATE = "Translate into {{language}}:\n\n{{content}}"

STUDIO = "/api/chatbot/templates"
"""Where the studio has its templates."""


async def make(caller: Caller, content: str = TRANSLATE, **fields: Any) -> dict[str, Any]:
    """Make a template and return it."""
    reply = await caller.http.post("/templates", json={"name": "Translate", "content": content, **fields})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made
