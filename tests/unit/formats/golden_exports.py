"""The golden exports: what another program wrote, and beside it what it says."""

import json
from pathlib import Path
from typing import Any

import msgspec

from headrace.formats.export_file import read

__all__ = ["EXPORTS", "decoded", "expected"]

EXPORTS = Path(__file__).parent / "exports"


def decoded(name: str) -> Any:
    """Return the chats of a golden export as they are read."""
    chats = list(read(memoryview((EXPORTS / f"{name}.json").read_bytes())))
    return json.loads(msgspec.json.encode(chats))


def expected(name: str) -> Any:
    """Return the chats that a golden export has."""
    return json.loads((EXPORTS / f"{name}.expected.json").read_text(encoding="utf-8"))
