#!/usr/bin/env python3
"""Measures a server of this checkout against nginx in the same run, with the load lab beside the project.

    .venv/bin/python tools/bench.py [--lab ../shared/lab] [--rounds 3] [-c 300] [-r 50] [-n 1000] [--sync normal]

Starts the lab's model server, nginx (where it is installed) and Headrace on loopback, alternates between the two and
prints one table. Everything that it starts it ends.
"""

import argparse
import contextlib
import json
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
UPSTREAM_PORT = 9100  # the lab's nginx.conf names it
NGINX_PORT = 9200
READY_S = 15.0
SETTINGS = """
[journal]
sync = "{sync}"
[providers.lab]
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
"""


def main() -> int:
    options = arguments()
    if not (options.lab / "load.py").exists():
        print(f"There is no load lab at {options.lab}: give --lab.", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        stack.enter_context(started([sys.executable, str(options.lab / "upstream.py"), str(UPSTREAM_PORT)], folder))
        wait_for(UPSTREAM_PORT)
        nginx = stack.enter_context(nginx_workers(options.lab, folder)) if shutil.which("nginx") else None
        headrace, port = stack.enter_context(server(folder, options.sync))
        rows = measure(options, nginx, headrace, port)
    print(json.dumps(rows, indent=2) if options.json else table(rows))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lab", type=Path, default=ROOT.parent / "shared" / "lab")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-c", type=int, default=300, help="streams at once")
    parser.add_argument("-r", type=int, default=50, help="tokens a second and stream")
    parser.add_argument("-n", type=int, default=1000, help="tokens a stream")
    parser.add_argument("--ramp", type=float, default=1.0, help="seconds over which the streams start")
    parser.add_argument("--sync", choices=["normal", "full"], default="normal")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def measure(options: argparse.Namespace, nginx: str | None, headrace: str, port: int) -> list[dict[str, Any]]:
    rows = []
    for _ in range(options.rounds):
        if nginx is not None:
            url = f"http://127.0.0.1:{NGINX_PORT}/v1/chat/completions"
            rows.append({"server": "nginx", **load(options, url, nginx)})
        first = make_chats(port, options.c)
        url = f"http://127.0.0.1:{port}/api/v1/chats/{{i}}/turns"
        body = '{"content":"hi","model":"lab/MODEL"}'
        rows.append({"server": "headrace", **load(options, url, headrace, "--first", str(first), "--body", body)})
    return rows


def load(options: argparse.Namespace, url: str, pids: str, *more: str) -> dict[str, Any]:
    command = [sys.executable, str(options.lab / "load.py"), "--url", url, "--pid", pids, *more]
    command += ["-c", str(options.c), "-r", str(options.r), "-n", str(options.n), "--ramp", str(options.ramp)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    print(done.stdout, done.stderr, sep="", end="", file=sys.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def table(rows: list[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(row["server"] for row in rows))
    keys = ("cpu_us_per_token", "delay_ms_p50", "delay_ms_p99", "first_ms_p50", "first_ms_p99", "memory_mb")
    medians = {
        name: {key: statistics.median(row[key] for row in rows if row["server"] == name) for key in keys}
        for name in names
    }
    base = medians.get("nginx", {}).get("cpu_us_per_token")
    lines = [f"{'median of rounds':18}" + "".join(f"{key:>18}" for key in keys) + f"{'x nginx':>10}{'complete':>12}"]
    for name in names:
        ratio = f"{medians[name]['cpu_us_per_token'] / base:.2f}" if base else "-"
        mine = [row for row in rows if row["server"] == name]
        complete = f"{sum(row['complete'] for row in mine)}/{sum(row['streams'] for row in mine)}"
        figures = "".join(f"{medians[name][key]:>18.2f}" for key in keys)
        lines.append(f"{name:18}{figures}{ratio:>10}{complete:>12}")
    return "\n".join(lines)


@contextlib.contextmanager
def started(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "output.log").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(READY_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def nginx_workers(lab: Path, folder: Path) -> Iterator[str]:
    prefix = folder / "nginx"
    prefix.mkdir()
    with started(["nginx", "-c", str(lab / "nginx.conf"), "-p", str(prefix)], folder) as process:
        wait_for(NGINX_PORT)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield ",".join(children)


@contextlib.contextmanager
def server(folder: Path, sync: str) -> Iterator[tuple[str, int]]:
    config = folder / "headrace.toml"
    config.write_text(SETTINGS.format(sync=sync, port=UPSTREAM_PORT))
    port = free_port()
    command = [sys.executable, "-m", "headrace", "serve", "--config", str(config), "--port", str(port)]
    with started([*command, "--data-dir", str(folder / "data")], folder) as process:
        wait_for(port)
        yield str(process.pid), port


def make_chats(port: int, count: int) -> int:
    ids = []
    for _ in range(count):
        url = f"http://127.0.0.1:{port}/api/v1/chats"
        request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as reply:  # noqa: S310  loopback
            ids.append(json.load(reply)["id"])
    return int(ids[0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
