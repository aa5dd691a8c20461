"""The Python client of a Headrace server's own API.

async with Client("http://127.0.0.1:8000") as client:
    chat = await client.chats.create()
    async for event in client.turn(chat.id, "Hello"):
        ...
"""

from headrace.client.answer import Answer
from headrace.client.client import Client
from headrace.client.errors import Unreachable

__all__ = ["Answer", "Client", "Unreachable"]
