import asyncio
import datetime as dt
from typing import Any

import pytest

from system.calls import Caller
from system.contracts import DOORS, error_fields
from system.templates import STUDIO, make

pytestmark = pytest.mark.asyncio(loop_scope="session")


def parsed(time: str) -> dt.datetime:
    return dt.datetime.fromisoformat(time)


async def test_the_studio_makes_shows_changes_and_removes_templates(caller: Caller) -> None:
    url = caller.url + STUDIO
    body = {"name": "Greet", "content": "Hello {{name}}", "description": None, "variables": ["name"], "is_active": True}

    reply = await caller.http.post(url, json=body)

    made = reply.json()
    assert (reply.status_code, made.keys()) == (
        201,
        {"id", "name", "description", "content", "variables", "created_at", "updated_at"},
    )
    assert made["variables"] == [{"name": "name", "description": None, "default": None}]
    assert parsed(made["created_at"]).tzinfo is not None
    assert (await caller.http.get(f"{url}/{made['id']}")).json() == made
    assert (await caller.http.get(url)).json()[0] == made
    for method in ("PUT", "PATCH"):
        changed = await caller.http.request(method, f"{url}/{made['id']}", json={"name": method, "extra": 1})
        assert changed.json() == {**made, "name": method, "updated_at": changed.json()["updated_at"]}
        assert parsed(changed.json()["updated_at"]) >= parsed(made["created_at"])
    assert (await caller.get(f"/templates/{made['id']}"))["name"] == "PATCH"
    assert (await caller.http.delete(f"{url}/{made['id']}")).status_code == 204
    assert (await caller.http.get(f"{url}/{made['id']}")).status_code == 404


async def test_the_studio_lists_all_templates(caller: Caller) -> None:
    await asyncio.gather(*(make(caller, "x") for _ in range(205)))

    ids = [each["id"] for each in (await caller.http.get(caller.url + STUDIO)).json()]

    assert len(ids) >= 205
    assert ids == sorted(ids, reverse=True)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"content": "x"}, "'name'"),
        ({"name": "x", "content": "{{a b}}"}, "{{"),
        ({"name": "x", "content": "x", "variables": ["a"]}, "no {{a}}"),
    ],
)
async def test_the_studio_refuses_what_makes_no_sense(caller: Caller, body: dict[str, Any], words: str) -> None:
    reply = await caller.http.post(caller.url + STUDIO, json=body)

    code, message = error_fields(DOORS["studio"], reply.json())
    assert (reply.status_code, code) == (422, "invalid_field")
    assert words in message
