import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import headrace
from fakes.upstream import FakeUpstream
from system.calls import Caller
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROUTES = {
    ("post", "/api/v1/chats"),
    ("get", "/api/v1/chats"),
    ("get", "/api/v1/chats/{chat_id}"),
    ("patch", "/api/v1/chats/{chat_id}"),
    ("delete", "/api/v1/chats/{chat_id}"),
    ("post", "/api/v1/chats/{chat_id}/turns"),
    ("get", "/api/v1/messages/{message_id}"),
    ("delete", "/api/v1/messages/{message_id}"),
    ("post", "/api/v1/messages/{message_id}/regenerate"),
    ("post", "/api/v1/messages/{message_id}/continue"),
    ("get", "/api/v1/runs"),
    ("get", "/api/v1/runs/{run_id}"),
    ("get", "/api/v1/runs/{run_id}/events"),
    ("post", "/api/v1/runs/{run_id}/stop"),
    ("get", "/api/v1/models"),
    ("get", "/api/v1/providers"),
    ("get", "/health"),
    ("get", "/ready"),
    ("get", "/metrics"),
}
"""What the API's page promises and is built; OpenAPI may list more."""

CANARY = "xylophone-canary-7f3a"
SECRETS = ["sk-canary-key-0d1e", "canary-header-9b2c", "sk-canary-env-5c7d"]
METHODS = {"get", "post", "put", "patch", "delete"}


# Alive and ready


async def test_health_says_that_the_server_is_alive_and_how_its_providers_are(caller: Caller) -> None:
    reply = await caller.root("/health")

    body = reply.json()
    assert reply.status_code == 200
    assert (body["status"], body["version"]) == ("ok", headrace.__version__)
    assert {"box": "up", "narrow": "up", "script": "up"}.items() <= body["providers"].items()


async def test_ready_says_that_work_is_taken(caller: Caller) -> None:
    reply = await caller.root("/ready")

    assert (reply.status_code, reply.json()) == (200, {"ready": True, "reason": None})


async def test_models_are_listed_with_their_providers(caller: Caller) -> None:
    models = {model["id"]: model for model in (await caller.get("/models"))["models"]}

    assert {"box/text", "narrow/text", "script/scenic"} <= models.keys()
    assert (models["script/scenic"]["can_continue"], models["box/text"]["can_continue"]) == (True, False)
    assert (models["box/text"]["provider"], models["box/text"]["state"]) == ("box", "up")


async def test_an_address_that_does_not_exist_is_told_in_the_envelope(caller: Caller) -> None:
    reply = await caller.root("/nothing/here")

    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "not_found"


# Figures


async def figures(caller: Caller) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = (await caller.root("/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labelled(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


async def test_a_run_shows_in_the_figures_under_the_names_of_the_conventions(caller: Caller) -> None:
    who = {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": "box",
        "gen_ai_request_model": "text-r200-n7",
    }

    turn = await caller.answered(await caller.chat(), model="box/text-r200-n7")
    await caller.message(turn.answer)

    counted = await figures(caller)
    count = {name: value for (name, labels), value in counted.items() if labels >= labelled(**who)}
    assert count["gen_ai_server_request_duration_seconds_count"] == 1
    assert count["gen_ai_server_time_to_first_token_seconds_count"] == 1
    assert count["gen_ai_server_time_per_output_token_seconds_count"] == 1
    assert 0.03 <= count["gen_ai_server_request_duration_seconds_sum"] < 10
    tokens = "gen_ai_client_token_usage_sum"
    assert counted[tokens, labelled(**who, gen_ai_token_type="input")] == 7
    assert counted[tokens, labelled(**who, gen_ai_token_type="output")] == 5


async def test_a_run_that_failed_is_counted_with_its_code(caller: Caller) -> None:
    before = (await figures(caller)).get(("headrace_runs_total", labelled(status="failed")), 0)

    turn = await caller.answered(await caller.chat(), model="box/status-500")
    await caller.message(turn.answer)

    counted = await figures(caller)
    assert counted["headrace_runs_total", labelled(status="failed")] == before + 1
    assert any(
        name == "gen_ai_server_request_duration_seconds_count" and ("error_type", "upstream_error") in labels
        for name, labels in counted
    )


async def test_what_goes_on_now_is_shown(caller: Caller) -> None:
    busy = await caller.turn(await caller.chat(), model="narrow/silent-after-1")
    waiting = await caller.turn(await caller.chat(), model="narrow/text")
    async with await caller.follow(waiting.run_id) as reader:
        await reader.until("run.queued")

        counted = await figures(caller)

    assert counted["headrace_runs_active", labelled()] >= 2
    assert counted["headrace_runs_waiting", labelled()] == 1
    assert counted["headrace_readers", labelled()] >= 1
    assert counted["headrace_journal_ok", labelled()] == 1
    await caller.stop(busy.run_id)
    await caller.frames(waiting.run_id)


# Documentation


async def test_the_page_of_the_api_has_all_its_assets_from_here(caller: Caller) -> None:
    reply = await caller.root("/docs")

    assert reply.headers["content-type"].startswith("text/html")
    assert re.findall(r"https?://", reply.text) == []
    assets = re.findall(r"(?:src|href)=\"([^\"]+)\"", reply.text)
    assert len(assets) >= 3
    for asset in assets:
        assert asset.startswith("/"), asset
        answer = await caller.root(asset)
        assert (answer.status_code, len(answer.content) > 100) == (200, True), asset
    assert "url: '/openapi.json'" in reply.text


async def test_assets_are_no_way_to_other_files(caller: Caller) -> None:
    for name in ("../../main.py", "..%2f..%2fmain.py", "%2e%2e/%2e%2e/etc/passwd", "redoc.standalone.js"):
        assert (await caller.root(f"/docs/assets/{name}")).status_code == 404, name


async def test_openapi_lists_every_route_and_is_whole(caller: Caller) -> None:
    document = (await caller.root("/openapi.json")).json()
    listed = {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }

    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == headrace.__version__
    assert listed.keys() >= ROUTES
    names = [operation["operationId"] for operation in listed.values()]
    assert len(names) == len(set(names))
    for (_, path), operation in listed.items():
        declared = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert declared == set(re.findall(r"\{(\w+)\}", path))
        assert operation["responses"]
        assert operation.get("summary") or operation.get("description")
    for reference in references(document):
        assert found(document, reference), reference


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def found(document: Any, reference: str) -> bool:
    assert reference.startswith("#/"), reference
    for step in reference.removeprefix("#/").split("/"):
        document = document.get(step) if isinstance(document, dict) else None
    return document is not None


async def test_replies_are_what_openapi_says(caller: Caller) -> None:
    document = (await caller.root("/openapi.json")).json()
    chat = await caller.chat()
    turn = await caller.answered(chat, model="script/scenic")
    replies = {
        "/api/v1/chats": await caller.get("/chats"),
        "/api/v1/chats/{chat_id}": await caller.get(f"/chats/{chat}"),
        "/api/v1/messages/{message_id}": await caller.get(f"/messages/{turn.answer}"),
        "/api/v1/runs": await caller.get("/runs"),
        "/api/v1/runs/{run_id}": await caller.get(f"/runs/{turn.run_id}"),
        "/api/v1/models": await caller.get("/models"),
        "/api/v1/providers": await caller.get("/providers"),
        "/health": (await caller.root("/health")).json(),
        "/ready": (await caller.root("/ready")).json(),
    }

    for path, reply in replies.items():
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert set(schema["required"]) <= reply.keys() <= set(schema["properties"]), path


# The log


async def test_a_run_has_three_lines_in_the_log_and_none_of_its_words(
    tmp_path: Path, upstream: FakeUpstream, scripts: Path
) -> None:
    models = ("box/echo", "box/status-500", "script/echo", "script/refuses", "box/error-frame-after-1")
    settings = config(box=upstream.base_url, scripts=scripts)
    async with Running(tmp_path, settings) as server, Caller(server.url) as caller:
        for model in models:
            chat = await caller.chat(title=CANARY, system_prompt=CANARY)
            await caller.answered(chat, CANARY, model=model)
        turn = await caller.answered(1, CANARY, model="box/echo")
        await caller.http.post("/chats/1/turns", content=f'{{"content": "{CANARY}", ')
        await caller.get("/chats", params={"query": CANARY})
        await server.logged("run.ended", run=turn.run_id)

    lines = [line for line in server.log if line.get("run") == turn.run_id]
    assert [line["event"] for line in lines] == ["run.started", "run.first_token", "run.ended"]
    for line in lines:
        assert (line["owner"], line["chat"], line["message"]) == (1, 1, turn.answer)
    assert lines[0]["model"] == "box/echo"
    assert lines[1]["first_token_ms"] <= lines[2]["total_ms"]
    assert (lines[2]["status"], lines[2]["code"]) == ("complete", None)
    assert CANARY not in server.text


async def test_every_line_of_the_log_is_one_object(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with Running(tmp_path, config(box=upstream.base_url)) as server, Caller(server.url) as caller:
        await caller.answered(1, model="box/reset-after-2")
        await caller.root("/nothing%0Ahere")
        with contextlib.closing(socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))) as garbage:
            garbage.sendall(b"\0\r\nno HTTP\r\n\r\n")
            assert garbage.recv(100).startswith(b"HTTP/1.1 400")

    assert all({"event", "level", "timestamp", "logger"} <= json.loads(line).keys() for line in server.lines)


async def test_keys_are_in_no_log_and_no_reply(tmp_path: Path, upstream: FakeUpstream) -> None:
    key, header, env = SECRETS
    base = {"kind": "openai", "base_url": upstream.base_url}
    settings = config(
        providers__plain={**base, "api_key": key},
        providers__named={**base, "api_key_env": "CANARY_KEY"},
        providers__gone={"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "api_key": key},
    )
    settings += f'\n[providers.headed]\nkind = "openai"\nbase_url = "{upstream.base_url}"\nheaders = {{ "x-key" = "{header}" }}\n'
    said = []
    async with Running(tmp_path, settings, env={"CANARY_KEY": env}) as server, Caller(server.url) as caller:
        for provider in ("plain", "named", "gone", "headed"):
            for model in ("text", "status-401", "error-frame-after-1"):
                turn = await caller.answered(await caller.chat(), model=f"{provider}/{model}")
                said += [(await caller.body(turn.run_id)).decode(), str(await caller.message(turn.answer))]
                said.append(str(await caller.get(f"/runs/{turn.run_id}")))
        for path in ("/health", "/metrics", "/openapi.json", "/api/v1/models", "/api/v1/providers", "/api/v1/config"):
            said.append((await caller.root(path)).text)

    sent = {value for request in upstream.requests for value in request.headers.values()}
    assert {f"Bearer {key}", f"Bearer {env}", header} <= sent, "the keys were not even used"
    for secret in SECRETS:
        assert secret not in server.text
        assert not any(secret in text for text in said)
