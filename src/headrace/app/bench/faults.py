"""This module lets the model server fail in every way it knows, and notes what Headrace makes of it."""

from pathlib import Path

import msgspec

from headrace.app.bench import processes
from headrace.app.bench.calls import Caller
from headrace.app.bench.model_server import FAULTS

__all__ = ["Fault", "faults"]

TOKENS = 20
END_S = 20.0


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """How the model server failed, what the run became, and how many characters of the answer were kept."""

    fault: str
    status: str
    code: str | None
    message: str | None
    kept: int


async def faults(folder: Path) -> list[Fault]:
    """Return what came of each fault. Raises `ServerError` where something does not start."""
    rows = []
    with processes.model_server(folder) as model, processes.headrace(folder, model.port) as server:
        caller = Caller(server.port)
        for fault in FAULTS:
            body = {"content": "hi", "model": f"bench/fault-{fault}-n{TOKENS}", "parent_id": None}
            _, turn = await caller.call("POST", "/chats/1/turns", body)
            run = await caller.until_ended(turn["run_id"], seconds=END_S)
            _, message = await caller.call("GET", f"/messages/{turn['assistant_message_id']}")
            error = run["error"] or {}
            rows.append(
                Fault(
                    fault=fault,
                    status=run["status"],
                    code=error.get("code"),
                    message=error.get("message"),
                    kept=sum(len(part.get("text", "")) for part in message["parts"]),
                )
            )
        await caller.close()
    return rows
