"""This module is what every driver of a Python package does the same: scenes played one by one, told as JSON.

A driver is called with the server's address. It must not import anything of Headrace: it runs in an environment of its
own, where the package is that is tried.
"""

import json
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["IMAGE", "JSON_TEXT", "PIXEL", "SCHEMA", "TEXT", "check", "play", "stopped"]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE = f"data:image/png;base64,{PIXEL}"
TEXT = "0 1 2 3 4 "
JSON_TEXT = '{"x": 1}'
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


def check(got: object, expected: object) -> None:
    """Raise where what came is not what was expected."""
    if got != expected:
        raise AssertionError(f"{got!r} came, not {expected!r}")


def stopped(url: str, model: str) -> None:
    """Return once the latest run of this model was stopped, as its caller has left. Raises where it goes on."""
    latest = None
    for _ in range(100):
        with urllib.request.urlopen(f"{url}/api/v1/runs?limit=20") as reply:  # noqa: S310  the server under test
            runs = json.load(reply)["runs"]
        latest = next(run for run in runs if run["model_requested"] == model)
        if latest["status"] == "stopped":
            return
        time.sleep(0.05)
    raise AssertionError(f"{model} goes on: {latest}")


def play(scenes: Mapping[str, Callable[[str], None]]) -> None:
    """Play the scenes and write what came of each to standard output: `ok`, or what went wrong."""
    url = sys.argv[1]
    outcome = {}
    for name, scene in scenes.items():
        try:
            scene(url)
            outcome[name] = "ok"
        except Exception:  # noqa: BLE001  whatever it is, it is the outcome
            outcome[name] = traceback.format_exc(limit=-3)
    sys.stdout.write(json.dumps(outcome))
