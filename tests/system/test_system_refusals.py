from typing import Any

import pytest

from system.calls import Caller, error_of
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOT_THERE = 999_999
HUGE = [2**31, 2**63 - 1, 2**63, 10**30]


@pytest.mark.parametrize("number", [NOT_THERE, *HUGE])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/chats/{}", None),
        ("PATCH", "/chats/{}", {"title": "x"}),
        ("DELETE", "/chats/{}", None),
        ("POST", "/chats/{}/turns", {"content": "x"}),
        ("GET", "/messages/{}", None),
        ("DELETE", "/messages/{}", None),
        ("POST", "/messages/{}/regenerate", {}),
        ("POST", "/messages/{}/continue", {}),
        ("GET", "/runs/{}", None),
        ("POST", "/runs/{}/stop", None),
        ("GET", "/runs/{}/events", None),
    ],
)
async def test_what_is_not_there_or_anothers_is_not_found(
    caller: Caller, method: str, path: str, body: dict[str, Any] | None, number: int
) -> None:
    reply = await caller.http.request(method, path.format(number), json=body)

    assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/nothing", "/chats/1/nothing", "/documents", "/config"])
async def test_what_is_not_built_is_not_found(caller: Caller, path: str) -> None:
    reply = await caller.http.get(path)

    assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")


async def test_a_method_that_an_address_does_not_take_is_refused(caller: Caller) -> None:
    reply = await caller.http.put("/chats/1", json={})

    assert (reply.status_code, error_of(reply)["code"]) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "DELETE, GET, PATCH"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"content": ""}, "content"),
        ({"content": 5}, "content"),
        ({"content": None}, "body"),
        ({"content": "x", "parts": [{"type": "text", "text": "y"}]}, "body"),
        ({"parts": []}, "parts"),
        ({"parts": [{"type": "text"}]}, "parts.0.text"),
        ({"parts": [{"type": "text", "text": ""}]}, "parts.0.text"),
        ({"parts": [{"type": "text", "text": "a"}, {"type": "video"}]}, "parts.1.type"),
        ({"parts": [{"text": "a"}]}, "parts.0.type"),
        ({"parts": [{"type": "image", "media_type": "image/png", "data": "%%"}]}, "parts.0.data"),
        ({"parts": [{"type": "image", "media_type": "text/html", "data": "aaaa"}]}, "parts.0.media_type"),
        ({"content": "x", "parameters": {"temperature": -1}}, "parameters.temperature"),
        ({"content": "x", "parameters": {"temperature": "hot"}}, "parameters.temperature"),
        ({"content": "x", "parameters": {"max_tokens": 1.5}}, "parameters.max_tokens"),
        ({"content": "x", "parameters": {"seed": 2**64}}, "parameters.seed"),
        ({"content": "x", "parameters": {"stop": 5}}, "parameters.stop"),
        ({"content": "x", "parameters": {"base_url": "http://elsewhere"}}, "parameters.base_url"),
        ({"content": "x", "parameters": None}, "parameters"),
        ({"content": "x", "parent_id": 0}, "parent_id"),
        ({"content": "x", "parent_id": True}, "parent_id"),
        ({"content": "x", "parent_id": 2**63}, "parent_id"),
        ({"content": "x", "parent_id": 10**30}, "parent_id"),
        ({"content": "x", "client_id": "1"}, "client_id"),
        ({"content": "x", "model": ""}, "model"),
        ({"content": "x", "nonsense": 1}, "nonsense"),
    ],
)
async def test_a_field_that_cannot_be_is_named_by_its_path(caller: Caller, body: dict[str, Any], field: str) -> None:
    reply = await caller.http.post("/chats/1/turns", json=body)

    error = error_of(reply)
    assert (reply.status_code, error["code"], error["details"]["field"]) == (422, "invalid_field", field)
    assert (await caller.get("/chats/1"))["messages"] == []


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/chats/0", "chat_id"),
        ("/chats/x", "chat_id"),
        ("/chats/-1", "chat_id"),
        ("/chats?limit=0", "limit"),
        ("/chats?limit=201", "limit"),
        ("/chats?limit=" + "9" * 5000, "limit"),
        ("/chats?before=nonsense", "before"),
        ("/chats?query=" + "x" * 5000, "query"),
        ("/runs?status=sleeping", "status"),
        ("/runs?before=nonsense", "before"),
    ],
)
async def test_a_query_that_cannot_be_is_named(caller: Caller, path: str, field: str) -> None:
    reply = await caller.http.get(path)

    assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/chats/1/turns", {"content": "x", "document_ids": [1]}),
        ("POST", "/models/warm", {"model": "box/text"}),
        ("POST", "/models/load", {"model": "box/text"}),
        ("POST", "/models/unload", {"model": "box/text"}),
    ],
)
async def test_what_this_version_has_not_is_refused_by_name(
    caller: Caller, method: str, path: str, body: dict[str, Any] | None
) -> None:
    reply = await caller.http.request(method, path, json=body)

    assert (reply.status_code, error_of(reply)["code"]) == (422, "not_available")


@pytest.mark.parametrize("name", ["anthropic", "gemini"])
async def test_formats_to_come_are_refused_by_name(caller: Caller, name: str) -> None:
    turn = await caller.answered(await caller.chat(), model="box/text")

    reply = await caller.http.get(f"/runs/{turn.run_id}/events", params={"format": name})

    error = error_of(reply)
    assert (reply.status_code, error["code"], error["details"]["field"]) == (422, "not_available", "format")


async def test_a_field_of_what_is_to_come_may_be_null(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), template_id=None, document_ids=None, model="box/text")

    assert (await caller.frames(turn.run_id))[-1].event == "run.finished"


@pytest.mark.parametrize(
    "body", [b"{", b"", b'{"content": "\xff"}', b"\xff\xfe", b'{"content": "x"} more', b"[" * 99_999]
)
async def test_what_is_not_json_is_malformed(caller: Caller, body: bytes) -> None:
    reply = await caller.http.post("/chats/1/turns", content=body, headers={"Content-Type": "application/json"})

    if body:
        assert (reply.status_code, error_of(reply)["code"]) == (400, "malformed")
    else:
        assert reply.status_code == 422


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}])
async def test_a_body_that_is_not_announced_as_json_is_refused_with_the_remedy(
    caller: Caller, headers: dict[str, str]
) -> None:
    reply = await caller.http.post("/chats/1/turns", content=b'{"content": "Hi"}', headers=headers)

    assert (reply.status_code, error_of(reply)["code"]) == (400, "malformed")
    assert "Content-Type: application/json" in error_of(reply)["message"]


@pytest.mark.parametrize("value", ["[]", '"text"', "5", "null", '{"content": "\\ud800"}'])
async def test_json_that_is_no_turn_is_refused(caller: Caller, value: str) -> None:
    headers = {"Content-Type": "application/json"}

    reply = await caller.http.post("/chats/1/turns", content=value.encode(), headers=headers)

    assert (reply.status_code, error_of(reply)["code"]) == (422, "invalid_field")


async def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(caller: Caller) -> None:
    headers = {"Content-Length": str(1 << 40), "Content-Type": "application/json"}
    async with await Wire.open(f"{caller.url}/api/v1/chats/1/turns", method="POST", headers=headers) as wire:
        await wire.rest()

        assert (wire.status, wire.json()["error"]["code"]) == (413, "too_large")


async def test_a_body_that_grows_too_large_is_refused(caller: Caller) -> None:
    async def pieces() -> Any:
        yield b'{"content": "'
        for _ in range(80):
            yield b"x" * 65_536

    reply = await caller.http.post("/chats/1/turns", content=pieces(), headers={"Content-Type": "application/json"})

    assert (reply.status_code, error_of(reply)["code"]) == (413, "too_large")
    assert "max_body_bytes" in error_of(reply)["message"]
