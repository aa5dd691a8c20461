"""Every route, called by everybody, for everything that one user has."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from headrace.core.principal import Scope
from headrace.doors.routes import DIRECT
from system.people import Person, client, first_admin, invited, now_ms, shown
from system.route_table import OTHER_PLACES, OWNED, TABLE, Call, Ids, calls, filled, is_owned, places, routes
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARK = "what-only-ada-wrote"
UNKNOWN = "hr_" + "A" * 43
FOREIGN_HOSTS = ["x/?", "x/#", "x\\@y", "x@127.0.0.1", "127.0.0.1/health?", "127.0.0.1#/health"]


@dataclass(frozen=True)
class World:
    """A server, who uses it, and what `owner` has there; `ids` by the names that the routes' paths have for them."""

    http: httpx.AsyncClient
    owner: Person
    other: Person
    admin: Person
    ids: Ids
    dead: Mapping[str, dict[str, str]]
    """Headers that were good once, or never, by what is wrong with them."""
    kept: Mapping[Scope, str]
    """Tokens of the owner's that are kept to one scope."""
    before: Any
    """All that the owner had when the tests began."""


async def ask(world: World, call: Call, headers: Mapping[str, str], *, token: str | None = None) -> httpx.Response:
    """Make a call. Cookies that are set are thrown away."""
    body = filled(call.body, token or world.owner.token)
    reply = await world.http.request(call.method, call.address, json=body, headers=headers)
    world.http.cookies.clear()
    return reply


def code_of(reply: httpx.Response) -> str:
    """Return an error's code, in our own envelope or in the form of the door whose path it is."""
    body = reply.json()
    if body.keys() == {"error"} and isinstance(body["error"], str):  # Ollama's have no code
        return {401: "unauthorized", 403: "forbidden"}[reply.status_code]
    error = body.get("error", body)
    code = str((error if isinstance(error, dict) else body)["code"])
    return "unauthorized" if code == "invalid_api_key" else code


# What the owner has


async def things_of(http: httpx.AsyncClient, person: Person) -> dict[str, tuple[Any, ...]]:
    """Make a chat with an answer that was stopped, a template that was tried, a token; return the ids."""
    headers = person.bearer

    async def post(path: str, **body: Any) -> Any:
        reply = await http.post(f"/api/v1{path}", json=body, headers=headers)
        assert reply.is_success, reply.text
        return reply.json()

    chat = (await post("/chats", title=MARK, system_prompt=MARK))["id"]
    turn = await post(f"/chats/{chat}/turns", content=MARK, model="script/pause")
    await post(f"/runs/{turn['run_id']}/stop")
    template = (await post("/templates", name=MARK, content=MARK))["id"]
    trial = await post(f"/templates/{template}/try", content="x", model="script/echo")
    token_id, _ = await person.make_token()
    return {
        **OTHER_PLACES,
        "chat_id": (chat,),
        "session_id": (chat,),
        "message_id": (turn["assistant_message_id"], turn["user_message_id"]),
        "run_id": (turn["run_id"], trial["run_id"]),
        "template_id": (template,),
        "token_id": (token_id,),
        "user_id": (person.id,),
    }


async def with_a_live_run(http: httpx.AsyncClient, person: Person, ids: Ids) -> dict[str, tuple[Any, ...]]:
    reply = await http.post("/api/v1/chats", json={"title": MARK}, headers=person.bearer)
    chat = reply.json()["id"]
    body = {"content": MARK, "model": "script/hang"}
    turn = (await http.post(f"/api/v1/chats/{chat}/turns", json=body, headers=person.bearer)).json()
    more = {"chat_id": chat, "session_id": chat, "message_id": turn["assistant_message_id"], "run_id": turn["run_id"]}
    return {**ids, **{name: (*ids[name], one) for name, one in more.items()}}


async def all_of(http: httpx.AsyncClient, owner: Person, ids: Ids) -> Any:
    """Return all that can be seen of what the owner has."""
    paths = [f"/chats/{one}" for one in ids["chat_id"]]
    paths += [f"/messages/{one}" for one in ids["message_id"]]
    paths += [f"/runs/{one}" for one in ids["run_id"]]
    paths += [f"/templates/{one}" for one in ids["template_id"]]
    found = [await http.get(f"/api/v1{path}", headers=owner.bearer) for path in paths]
    tokens = (await http.get("/api/v1/tokens", headers=owner.bearer)).json()["tokens"]
    whose = [(each["id"], each["revoked_at"]) for each in tokens if each["id"] in ids["token_id"]]
    return [(reply.status_code, reply.json()) for reply in found], whose


async def until_over(http: httpx.AsyncClient, token: str) -> dict[str, str]:
    """Return the headers that show a token, once it is good for nothing."""
    async with asyncio.timeout(20):
        while (await http.get("/api/v1/session", headers=shown(token))).status_code == httpx.codes.OK:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return shown(token)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> AsyncIterator[World]:
    settings = config(scripts=scripts, server={"access": True, "drain_s": 0})
    async with (
        Running(tmp_path_factory.mktemp("matrix"), settings) as server,
        httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as http,
    ):
        admin = await first_admin(server)
        owner, other = [await invited(admin, name) for name in ("ada", "bob")]
        ids = await with_a_live_run(http, owner, await things_of(http, owner))
        _, expiring = await owner.make_token(expires_at=now_ms() + 500)
        lost, revoked = await owner.make_token()
        assert (await http.delete(f"/api/v1/tokens/{lost}", headers=owner.bearer)).status_code == 204
        yield World(
            http,
            owner,
            other,
            admin,
            ids,
            dead={
                "anonymous": {},
                "expired": await until_over(http, expiring),
                "revoked": shown(revoked),
                "revoked, as a key": {"x-api-key": revoked},
                "unknown": shown(UNKNOWN),
                "a session as a token's digest": {"Cookie": f"headrace_session={revoked}"},
                "in another way": {"Authorization": f"Basic {owner.token}"},
            },
            kept={
                "chat": (await owner.make_token(scopes=["chat"]))[1],
                "models": (await owner.make_token(scopes=["models"]))[1],
                "admin": (await owner.make_token(scopes=["admin"]))[1],
            },
            before=await all_of(http, owner, ids),
        )


each_route = pytest.mark.parametrize("route", TABLE)


# The matrix


async def test_every_route_is_in_the_table() -> None:
    assert sorted(routes()) == sorted(TABLE)


async def test_every_short_way_is_a_route_as_well() -> None:
    known = {re.sub(r"\{\w+\}", "{}", route) for route in TABLE}
    assert {f"POST {each.before}{'{}' if each.after else ''}{each.after}" for each in DIRECT} <= known


async def test_every_place_in_a_path_is_filled() -> None:
    names = {name for route in TABLE for name in places(route)}
    assert names - OWNED - OTHER_PLACES.keys() == {"user_id"}


@each_route
async def test_who_does_not_say_who_it_is_gets_nothing(world: World, route: str) -> None:
    row = TABLE[route]
    for wrong, headers in world.dead.items():
        for call in calls(route, world.ids):
            reply = await ask(world, call, headers)
            expected = row.status if row.open else 401
            assert (wrong, call, reply.status_code) == (wrong, call, expected)
            assert MARK not in reply.text
            if expected == 401:
                assert reply.headers["www-authenticate"] == "Bearer"
                assert code_of(reply) == "unauthorized"
    assert await all_of(world.http, world.owner, world.ids) == world.before


@each_route
async def test_what_is_anothers_is_not_there(world: World, route: str) -> None:
    row = TABLE[route]
    for person in (world.other, world.admin):
        if person is world.admin and row.anybodys:
            continue
        is_kept_out = row.scope == "admin" and person is world.other
        expected = 403 if is_kept_out else 404 if is_owned(route) else row.status
        for call in calls(route, world.ids):
            reply = await ask(world, call, person.bearer, token=person.token)
            assert (person.name, call, reply.status_code) == (person.name, call, expected), reply.text
            assert MARK not in reply.text
            assert not [run for run in world.ids["run_id"] if run in reply.text and run not in call.address]
    assert await all_of(world.http, world.owner, world.ids) == world.before


@each_route
async def test_a_token_is_good_for_its_scopes_alone(world: World, route: str) -> None:
    row = TABLE[route]
    for scope, token in world.kept.items():
        if row.scope == scope != "admin" or row.scope is None:
            continue
        for call in calls(route, world.ids):
            reply = await ask(world, call, shown(token))
            assert (scope, call, reply.status_code) == (scope, call, 403), reply.text
            assert code_of(reply) == "forbidden"
    assert await all_of(world.http, world.owner, world.ids) == world.before


@each_route
async def test_the_owner_is_served(world: World, route: str) -> None:
    row = TABLE[route]
    things = await things_of(world.http, world.owner)

    reply = await ask(world, calls(route, things)[0], world.owner.bearer)

    assert reply.status_code == (403 if row.scope == "admin" else row.status), reply.text


@each_route
async def test_a_host_that_could_be_read_as_a_path_opens_nothing(world: World, route: str) -> None:
    for host in FOREIGN_HOSTS:
        for call in calls(route, world.ids)[:1]:
            reply = await ask(world, call, {"Host": host})
            assert (host, reply.status_code) == (host, 400)


# Beside the paths


@pytest.mark.parametrize("path", ["/chats", "/runs", "/templates", "/messages"])
async def test_a_place_in_anothers_list_opens_nothing(world: World, path: str) -> None:
    async def pages(person: Person, **query: Any) -> httpx.Response:
        return await world.http.get(f"/api/v1{path}", params=query, headers=person.bearer)

    first = await pages(world.owner, limit=1)
    if first.status_code == 404:  # no such list
        return
    assert first.json()["next"] is not None
    for person in (world.other, world.admin):
        for query in (
            {"before": first.json()["next"]},
            {"query": MARK},
            {"query": "%"},
            {"status": "queued,streaming"},
        ):
            reply = await pages(person, **query)
            assert reply.status_code == 200
            assert MARK not in reply.text
            assert not [run for run in world.ids["run_id"] if run in reply.text]


async def test_anothers_ids_within_a_body_are_refused(world: World) -> None:
    async with client(world.other.url, world.other.bearer) as http:
        own = (await http.post("/chats", json={})).json()["id"]
        turns = f"/chats/{own}/turns"
        (message, *_), (template,) = world.ids["message_id"], world.ids["template_id"]
        replies = {
            "parent_id": await http.post(turns, json={"content": "x", "parent_id": message}),
            "template_id": await http.post(turns, json={"template_id": template}),
            "leaf_id": await http.patch(f"/chats/{own}", json={"leaf_id": message}),
        }
        assert {name: reply.status_code for name, reply in replies.items()} == {
            "parent_id": 422,
            "template_id": 422,
            "leaf_id": 422,
        }
        assert not [reply for reply in replies.values() if MARK in reply.text]
        assert (await http.get(f"/chats/{own}")).json()["messages"] == []


async def test_the_same_client_id_of_another_user_is_another_run(world: World) -> None:
    client_id = "8c0d2f3a-6d1c-4f55-9a10-9d2f7d6f0001"
    runs = []
    for person in (world.owner, world.other, world.admin):
        async with client(person.url, person.bearer) as http:
            chat = (await http.post("/chats", json={})).json()["id"]
            body = {"content": "x", "model": "script/echo", "client_id": client_id}
            reply = await http.post(f"/chats/{chat}/turns", json=body)
            assert reply.status_code == 202, reply.text
            runs.append(reply.json()["run_id"])
    assert len({*runs}) == 3


@pytest.mark.parametrize("field", ["owner_id", "user_id", "author_id", "session_id", "run_id", "id", "message_id"])
async def test_nobody_says_on_whose_behalf_or_for_which_connection(world: World, field: str) -> None:
    async with client(world.other.url, world.other.bearer) as http:
        chat = (await http.post("/chats", json={})).json()["id"]
        for path, body in (("/chats", {}), (f"/chats/{chat}/turns", {"content": "x"}), ("/tokens", {"name": "x"})):
            reply = await http.post(path, json={**body, field: world.owner.id})
            assert (path, reply.status_code) == (path, 422)
            assert reply.json()["error"]["details"]["field"] == field


async def test_an_admin_may_revoke_anybodys_token(world: World) -> None:
    token_id, token = await world.owner.make_token()
    async with client(world.admin.url, world.admin.bearer) as http:
        assert (await http.delete(f"/tokens/{token_id}")).status_code == 204
    assert (await world.http.get("/api/v1/session", headers=shown(token))).status_code == 401


async def test_an_admin_s_token_that_is_kept_to_less_is_no_admin_s(world: World) -> None:
    _, kept = await world.admin.make_token(scopes=["chat", "models"])
    for route, row in TABLE.items():
        if row.scope == "admin":
            for call in calls(route, world.ids):
                reply = await ask(world, call, shown(kept))
                assert (call, reply.status_code) == (call, 403)
    tokens = (await world.http.get("/api/v1/tokens", headers=shown(kept))).json()["tokens"]
    assert {each["user_id"] for each in tokens} == {world.admin.id}
    (anothers,) = world.ids["token_id"]
    assert (await world.http.delete(f"/api/v1/tokens/{anothers}", headers=shown(kept))).status_code == 404


async def test_a_token_that_is_kept_to_a_scope_makes_none_that_is_good_for_more(world: World) -> None:
    async with client(world.owner.url, shown(world.kept["models"])) as http:
        for scopes in (None, ["chat"], ["models", "chat"], ["admin"]):
            reply = await http.post("/tokens", json={"name": "x", "scopes": scopes})
            assert (scopes, reply.status_code) == (scopes, 403)
        assert (await http.post("/session", json={"token": world.kept["models"]})).status_code == 403
        assert (await http.put("/session/passphrase", json={"passphrase": "a long passphrase"})).status_code == 403
