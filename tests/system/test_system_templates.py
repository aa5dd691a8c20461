from typing import Any
from uuid import uuid4

import httpx
import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, error_of, marked, text_in
from system.templates import TRANSLATE, make
from system.wire import text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def turn(caller: Caller, chat: int, **body: Any) -> httpx.Response:
    return await caller.http.post(f"/chats/{chat}/turns", json={"model": "box/echo", **body})


# Templates


async def test_a_new_template_is_shown_as_it_was_made(caller: Caller) -> None:
    language = {"name": "language", "description": "Into which", "default": "French"}

    made = await make(caller, description="For letters", variables=[language])

    assert made == {
        "id": made["id"],
        "owner_id": 1,
        "name": "Translate",
        "description": "For letters",
        "content": TRANSLATE,
        "variables": [language, {"name": "content", "description": None, "default": None}],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert await caller.get(f"/templates/{made['id']}") == made


async def test_a_variable_may_be_described_by_its_name_alone(caller: Caller) -> None:
    made = await make(caller, "{{b}} {{a}}", variables=["a", {"name": "b"}])

    assert [one["name"] for one in made["variables"]] == ["b", "a"]


async def test_what_is_shown_can_be_sent_back(caller: Caller) -> None:
    made = await make(caller, variables=[{"name": "language", "default": "French"}])
    sent = {name: made[name] for name in ("name", "description", "content", "variables")}

    reply = await caller.http.patch(f"/templates/{made['id']}", json=sent)

    assert reply.status_code == 200
    assert reply.json() == {**made, "updated_at": reply.json()["updated_at"]}


async def test_a_template_is_changed_in_what_is_given(caller: Caller) -> None:
    made = await make(caller, description="For letters")

    reply = await caller.http.patch(f"/templates/{made['id']}", json={"name": " Letters ", "description": None})

    changed = reply.json()
    assert (changed["name"], changed["description"], changed["content"]) == ("Letters", None, TRANSLATE)
    assert await caller.get(f"/templates/{made['id']}") == changed


async def test_templates_are_listed_in_pages_the_newest_first(caller: Caller) -> None:
    made = [(await make(caller))["id"] for _ in range(3)]

    first = await caller.get("/templates", params={"limit": 2})
    second = await caller.get("/templates", params={"limit": 1, "before": first["next"]})

    shown = [each["id"] for each in (*first["templates"], *second["templates"])]
    assert shown == made[::-1]


async def test_a_removed_template_is_gone_and_what_was_made_from_it_stays(caller: Caller) -> None:
    made, chat = await make(caller, "Say {{word}}"), await caller.chat()
    begun = (await turn(caller, chat, template_id=made["id"], variables={"word": "mill"})).json()
    await caller.frames(begun["run_id"])

    assert (await caller.http.delete(f"/templates/{made['id']}")).status_code == 204

    for method in ("GET", "DELETE"):
        reply = await caller.http.request(method, f"/templates/{made['id']}")
        assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")
    assert text_in(await caller.message(begun["user_message_id"])) == "Say mill"
    again = await caller.regenerate(begun["assistant_message_id"], model="box/echo")
    assert text_of(await caller.frames(again.run_id)) == "Say mill"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x"}, "name"),
        ({"name": "x"}, "content"),
        ({"name": " ", "content": "x"}, "name"),
        ({"name": "x", "content": ""}, "content"),
        ({"name": "x", "content": " \n"}, "content"),
        ({"name": "x" * 201, "content": "x"}, "name"),
        ({"name": "x", "content": "x" * 100_001}, "content"),
        ({"name": "x", "content": "Hi {{first name}}"}, "content"),
        ({"name": "x", "content": "".join(f"{{{{v{number}}}}}" for number in range(65))}, "content"),
        ({"name": "x", "content": "{{a}}", "variables": {"a": "A"}}, "variables"),
        ({"name": "x", "content": "{{a}}", "variables": ["b"]}, "variables.0.name"),
        ({"name": "x", "content": "{{a}}", "variables": ["a", "a"]}, "variables.1.name"),
        ({"name": "x", "content": "{{a}}", "variables": [7]}, "variables.0"),
        ({"name": "x", "content": "{{a}}", "variables": [{"name": "a", "default": 7}]}, "variables.0.default"),
        ({"name": "x", "content": "{{a}}", "variables": [{"name": "a", "required": True}]}, "variables.0.required"),
        ({"name": "x", "content": "x", "description": "x" * 1001}, "description"),
        ({"name": "x", "content": "x", "owner_id": 2}, "owner_id"),
    ],
)
async def test_a_template_that_makes_no_sense_is_refused_with_its_field(
    caller: Caller, body: dict[str, Any], field: str
) -> None:
    before = await caller.get("/templates", params={"limit": 1})

    reply = await caller.http.post("/templates", json=body)

    error = error_of(reply)
    assert (reply.status_code, error["code"], error["details"]["field"]) == (422, "invalid_field", field)
    assert await caller.get("/templates", params={"limit": 1}) == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"content": None}, "content"),
        ({"content": "{{"}, "content"),
        ({"variables": ["gone"]}, "variables.0.name"),
        ({"content": "{{b}}", "variables": ["language"]}, "variables.0.name"),
        ({"id": 7}, "id"),
    ],
)
async def test_a_change_that_makes_no_sense_changes_nothing(
    caller: Caller, changes: dict[str, Any], field: str
) -> None:
    made = await make(caller)

    reply = await caller.http.patch(f"/templates/{made['id']}", json=changes)

    assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, field)
    assert await caller.get(f"/templates/{made['id']}") == made


@pytest.mark.parametrize("number", [999_999, 2**63 - 1, 2**63, 10**30])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/templates/{}", None),
        ("PATCH", "/templates/{}", {"name": "x"}),
        ("DELETE", "/templates/{}", None),
        ("POST", "/templates/{}/try", {}),
    ],
)
async def test_a_template_that_is_not_there_is_not_found(
    caller: Caller, method: str, path: str, body: dict[str, Any] | None, number: int
) -> None:
    reply = await caller.http.request(method, path.format(number), json=body)

    assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")


# Turns


async def test_a_turn_stores_and_sends_what_the_template_makes_of_it(caller: Caller, upstream: FakeUpstream) -> None:
    made, chat, content = await make(caller), await caller.chat(), marked("Good morning")

    reply = await turn(caller, chat, content=content, template_id=made["id"], variables={"language": "{{content}}"})

    assert reply.status_code == 202
    whole = f"Translate into {{{{content}}}}:\n\n{content}"
    assert text_of(await caller.frames(reply.json()["run_id"])) == whole
    question = await caller.message(reply.json()["user_message_id"])
    assert question["parts"] == [{"type": "text", "text": whole}]
    await asked(upstream, whole)
    found = await caller.get("/chats", params={"query": content})
    assert [each["id"] for each in found["chats"]] == [chat]


async def test_a_turn_with_a_template_needs_no_text(caller: Caller) -> None:
    made = await make(caller, "Tell me of {{what}}.", variables=[{"name": "what", "default": "mills"}])
    chat = await caller.chat()

    reply = await turn(caller, chat, template_id=made["id"])

    assert text_of(await caller.frames(reply.json()["run_id"])) == "Tell me of mills."


async def test_a_picture_goes_along_with_what_the_template_makes(caller: Caller) -> None:
    made, chat = await make(caller, "Describe this in {{language}}."), await caller.chat()
    picture = {"type": "image", "media_type": "image/png", "data": "aaaa"}

    reply = await turn(caller, chat, parts=[picture], template_id=made["id"], variables={"language": "Dutch"})

    question = await caller.message(reply.json()["user_message_id"])
    assert question["parts"] == [{"type": "text", "text": "Describe this in Dutch."}, picture]


async def test_a_turn_with_a_template_streams(caller: Caller) -> None:
    made, chat = await make(caller), await caller.chat()

    async with await caller.stream(
        chat, "Hi", template_id=made["id"], variables={"language": "Dutch"}, model="box/echo"
    ) as wire:
        frames = await wire.frames()

    assert (text_of(frames), frames[-1].event) == ("Translate into Dutch:\n\nHi", "run.finished")


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"content": "x"}, "variables.language", "needs 'language': give 'variables.language'"),
        ({"variables": {"language": "Dutch"}}, "content", "needs 'content': give 'content'"),
        ({"content": "x", "variables": {"langauge": "Dutch"}}, "variables.langauge", "no variable 'langauge'"),
        ({"content": "x", "variables": {"language": 7}}, "variables.language", ""),
        ({"content": "x", "variables": {"language": None}}, "variables.language", ""),
        ({"content": "x", "variables": ["Dutch"]}, "variables", ""),
        ({"content": "x", "variables": {"content": "y"}}, "variables.content", "field `content`"),
        ({"content": "x" * 1_000_000, "variables": {"language": "Dutch"}}, "content", "Shorten the value of 'content'"),
        ({"content": "x", "parts": [{"type": "text", "text": "y"}]}, "body", "either 'content' or 'parts'"),
    ],
)
async def test_values_are_checked_before_anything_is_stored(
    caller: Caller, body: dict[str, Any], field: str, said: str
) -> None:
    made, chat = await make(caller), await caller.chat()

    reply = await turn(caller, chat, template_id=made["id"], **body)

    error = error_of(reply)
    assert (reply.status_code, error["code"], error["details"]["field"]) == (422, "invalid_field", field)
    assert said in error["message"]
    assert (await caller.get(f"/chats/{chat}"))["messages"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x", "template_id": 999_999}, "template_id"),
        ({"content": "x", "template_id": 10**30}, "template_id"),
        ({"content": "x", "template_id": 0}, "template_id"),
        ({"content": "x", "template_id": "1"}, "template_id"),
        ({"content": "x", "template_id": True}, "template_id"),
        ({"content": "x", "variables": {"a": "A"}}, "body"),
        ({"variables": {"a": "A"}}, "body"),
    ],
)
async def test_a_template_that_cannot_be_used_is_named(caller: Caller, body: dict[str, Any], field: str) -> None:
    chat = await caller.chat()

    reply = await turn(caller, chat, **body)

    assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, field)
    assert (await caller.get(f"/chats/{chat}"))["messages"] == []


async def test_a_template_may_be_null(caller: Caller) -> None:
    reply = await turn(caller, await caller.chat(), content="Hi", template_id=None, variables=None)

    assert text_of(await caller.frames(reply.json()["run_id"])) == "Hi"


@pytest.mark.parametrize("since", [{"content": "Say {{more}} of {{content}}"}, {"content": "Say: {{content}}"}, None])
async def test_the_same_turn_again_is_the_same_run_whatever_became_of_the_template(
    caller: Caller, since: dict[str, Any] | None
) -> None:
    made, chat = await make(caller, "Say {{content}}"), await caller.chat()
    body = {"content": "Hi", "template_id": made["id"], "client_id": str(uuid4())}
    first = await turn(caller, chat, **body)
    path = f"/templates/{made['id']}"
    await (caller.http.delete(path) if since is None else caller.http.patch(path, json=since))

    again = await turn(caller, chat, **body)

    assert (again.status_code, again.json()) == (202, first.json())
    other = await turn(caller, chat, **{**body, "content": "Ho"})
    assert (other.status_code, error_of(other)["code"]) == (409, "client_id_reused")
    assert len((await caller.get(f"/chats/{chat}"))["messages"]) == 2
