"""How much each may take, at a server with limits."""

import asyncio
import re
from collections import Counter
from pathlib import Path

import httpx
import pytest

from system.access_house import refusal_of, run_of, turn
from system.calls import STREAM
from system.people import Person, client, first_admin, invited
from system.raw_requests import abandoned, request
from system.running import Running, config
from system.wire import Wire, frames_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

END_S = 5.0
"""How long a stream may go on that its reader may not see any more."""
FREE_S = 5.0
"""How long a slot may stay taken after a disconnect; it takes milliseconds, and the machine may have other work."""


def limited(folder: Path, scripts: Path, **limits: int) -> Running:
    return Running(folder, config(scripts=scripts, server={"access": True, "drain_s": 0}, limits=limits))


async def test_50_callers_at_once_make_as_many_requests_as_are_allowed(tmp_path: Path, scripts: Path) -> None:
    async with limited(tmp_path, scripts, requests_per_minute=20) as server:
        admin = await first_admin(server)
        ada, bob = [await invited(admin, name) for name in ("ada", "bob")]
        async with client(server.url, ada.bearer) as http:
            replies = await asyncio.gather(*(http.get("/chats") for _ in range(50)))
        # the making of her token was the first of her requests
        assert Counter(reply.status_code for reply in replies) == {200: 19, 429: 31}
        for reply in replies:
            if reply.status_code == 429:
                assert 1 <= int(reply.headers["retry-after"]) <= 60
                assert refusal_of(reply)["code"] == "rate_limited"
        async with client(server.url, bob.page) as http:
            assert (await http.get("/chats")).status_code == 200


async def test_50_callers_at_once_get_as_many_streams_as_are_allowed(tmp_path: Path, scripts: Path) -> None:
    async with limited(tmp_path, scripts, streams=10) as server:
        admin = await first_admin(server)
        ada, bob = [await invited(admin, name) for name in ("ada", "bob")]
        async with client(server.url, ada.bearer) as http, client(server.url, bob.bearer) as others:
            replies = await asyncio.gather(*(turn(http) for _ in range(50)))
            assert Counter(reply.status_code for reply in replies) == {202: 10, 429: 40}
            assert {reply.headers["retry-after"] for reply in replies if reply.status_code == 429} == {"1"}
            assert (await turn(others)).status_code == 202
            runs = [reply.json()["run_id"] for reply in replies if reply.status_code == 202]

            # room is there at once: after a stop,
            await http.post(f"/runs/{runs.pop()}/stop")
            short = await turn(http, "script/tokens-r0-n5", **STREAM)
            # after an end,
            assert frames_of(short.content)[-1].event == "run.finished"
            runs.append(await run_of(http))
            # after what fails before it begins,
            await http.post(f"/runs/{runs.pop()}/stop")
            assert (await http.post("/chats/999999/turns", json={"content": "x"})).status_code == 404
            assert (await turn(http, "script/nothing", **STREAM)).status_code == 404
            # and, as soon as the server notices, after a disconnect
            events = request(server.url, f"/api/v1/runs/{runs[0]}/events", f"x-api-key: {ada.token}")
            assert await abandoned(server.url, events) == 200
            async with asyncio.timeout(FREE_S):
                while await abandoned(server.url, events) != 200:
                    pass
            assert (await http.post(f"/runs/{runs[0]}/stop")).status_code == 200


async def test_1_000_abandoned_streams_leave_no_slot_in_use(tmp_path: Path, scripts: Path) -> None:
    most = 40
    async with limited(tmp_path, scripts, streams=most, streams_all=most) as server:
        admin = await first_admin(server)
        async with client(server.url, admin.bearer) as http:
            run = await run_of(http)
            events = request(server.url, f"/api/v1/runs/{run}/events", f"x-api-key: {admin.token}")

            async def let_in_and_gone() -> None:
                while await abandoned(server.url, events) != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

            async with asyncio.timeout(100):
                for _ in range(25):
                    # who leaves before the answer, beside those who leave after it
                    early = [abandoned(server.url, events, answered=False) for _ in range(10)]
                    await asyncio.gather(*(let_in_and_gone() for _ in range(30)), *early)

            async with asyncio.timeout(20):
                while await readers(server, admin):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            wires = [await opened(server, run, admin) for _ in range(most - 1)]
            try:
                assert [wire.status for wire in wires] == [200] * (most - 1)
                last = await opened(server, run, admin)
                assert (last.status, last.headers["retry-after"]) == (429, "1")
                last.close()
            finally:
                for wire in wires:
                    wire.close()


async def opened(server: Running, run: str, person: Person) -> Wire:
    return await Wire.open(f"{server.url}/api/v1/runs/{run}/events", headers=person.bearer)


async def readers(server: Running, admin: Person) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        figures = (await http.get(f"{server.url}/metrics", headers=admin.bearer)).text
    found = re.search(r"^headrace_readers (\d+)", figures, re.MULTILINE)
    assert found is not None
    return int(found[1])


async def test_a_day_s_tokens_are_counted_and_remembered(tmp_path: Path, scripts: Path) -> None:
    server = limited(tmp_path, scripts, tokens_per_day=30)
    async with server:
        admin = await first_admin(server)
        ada = await invited(admin, "ada")
        async with client(server.url, ada.bearer) as http:
            for _ in range(2):
                assert (await turn(http, "script/tokens-r0-n20", **STREAM)).status_code == 200
            async with asyncio.timeout(END_S):
                while (refused := await turn(http, "script/tokens-r0-n20")).status_code == 202:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 86_400
            assert refusal_of(refused)["details"]["limit"] == "tokens_per_day"
        async with client(server.url, admin.bearer) as http:
            assert (await turn(http, "script/tokens-r0-n20")).status_code == 202
        await server.end()
        await server.start()
        async with client(server.url, ada.bearer) as http:
            assert (await turn(http, "script/tokens-r0-n20")).status_code == 429
            assert (await http.get("/chats")).status_code == 200
