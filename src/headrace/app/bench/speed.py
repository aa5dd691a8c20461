"""This module measures what a token costs here, as a ratio to nginx passing the same bytes through in the same run."""

import json
import statistics
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from headrace.app.bench import load, processes
from headrace.app.bench.load import Figures, Job
from headrace.app.bench.processes import Process

__all__ = ["Row", "Speed", "measure", "summary"]

_REPLY_S = 10.0


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure: `streams` of `tokens` at `rate` a second each, `rounds` times."""

    streams: int = 300
    rate: int = 50
    tokens: int = 500
    rounds: int = 3
    ramp_s: float = 1.0
    sync: str = "normal"


class Row(msgspec.Struct, frozen=True):
    """One run: whose it was, and its figures."""

    server: str
    figures: Figures


async def measure(speed: Speed, folder: Path) -> list[Row]:
    """Return a row for each run, alternating between nginx (where it is installed), Headrace, and its OpenAI door.

    Raises `ServerError` where something does not start.
    """
    rows = []
    job = Job(
        streams=speed.streams,
        tokens=speed.tokens,
        ramp_s=speed.ramp_s,
        timeout_s=4 * speed.tokens / speed.rate + speed.ramp_s + 30,
    )
    with (
        processes.model_server(folder) as model,
        processes.nginx(folder, model.port) as reference,
        processes.headrace(folder, model.port, sync=speed.sync) as server,
    ):
        name = f"load-r{speed.rate}-n{speed.tokens}"
        for number in range(speed.rounds):
            if reference is not None:
                request = _post("/v1/chat/completions", {"model": name, "stream": True, "messages": []})
                figures = await load.run(job, reference.port, lambda _, request=request: request, reference.pids)  # type: ignore[misc]
                rows.append(Row("nginx", figures))
            jobs = {"headrace": _turns, "headrace as openai": _completions}
            doors = sorted(jobs, reverse=number % 2 == 1)
            rows += [Row(door, await jobs[door](job, server, name)) for door in doors]
    return rows


def summary(rows: list[Row]) -> str:
    """Return the medians of the rounds as a table, with the ratio to nginx."""
    names = list(dict.fromkeys(row.server for row in rows))
    columns = ("cpu_us_per_token", "delay_ms_p50", "delay_ms_p99", "first_ms_p50", "first_ms_p99", "memory_mb")
    medians = {
        name: {
            column: statistics.median(getattr(row.figures, column) for row in rows if row.server == name)
            for column in columns
        }
        for name in names
    }
    base = medians.get("nginx", {}).get("cpu_us_per_token")
    lines = ["median of rounds".ljust(20) + "".join(column.rjust(18) for column in columns) + "   x nginx   complete"]
    for name in names:
        mine = [row.figures for row in rows if row.server == name]
        ratio = f"{medians[name]['cpu_us_per_token'] / base:.2f}" if base else "-"
        complete = f"{sum(one.complete for one in mine)}/{sum(one.streams for one in mine)}"
        figures = "".join(f"{medians[name][column]:.2f}".rjust(18) for column in columns)
        lines.append(name.ljust(20) + figures + ratio.rjust(10) + complete.rjust(11))
    if base is None:
        lines.append("nginx is not installed, so there is no ratio: CPU time alone compares badly between machines.")
    return "\n".join(lines)


async def _turns(job: Job, server: Process, model: str) -> Figures:
    chats = list(_new_chats(server.port, job.streams))
    body = {"content": "hi", "model": f"bench/{model}"}
    requests = [_post(f"/api/v1/chats/{chat}/turns", body) for chat in chats]
    return await load.run(job, server.port, requests.__getitem__, server.pids)


async def _completions(job: Job, server: Process, model: str) -> Figures:
    messages = [{"role": "user", "content": "hi"}]
    request = _post("/v1/chat/completions", {"model": f"bench/{model}", "stream": True, "messages": messages})
    return await load.run(job, server.port, lambda _: request, server.pids)


def _new_chats(port: int, count: int) -> Iterator[int]:
    for _ in range(count):
        url = f"http://127.0.0.1:{port}/api/v1/chats"
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=_REPLY_S) as reply:  # noqa: S310  loopback
            yield json.load(reply)["id"]


def _post(path: str, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n"
        f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
