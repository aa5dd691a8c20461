"""This module has a reader whose connections break by chance, and what a run's events make."""

import random
import secrets
from collections.abc import Sequence
from typing import Any

from system.calls import Caller
from system.wire import Frame, whole_frames

__all__ = ["CutReader", "Dice", "parts_of"]


class Dice(random.Random):
    """Chance that can be had again: a test that fails names `number`."""

    def __init__(self, number: int | None = None) -> None:
        self.number = secrets.randbelow(2**32) if number is None else number
        super().__init__(self.number)

    def more(self) -> "Dice":
        """Return dice of their own, for what happens at the same time."""
        return Dice(self.randrange(2**32))


class CutReader:
    """Reads a run over connections that are cut at random bytes; each goes on after the last complete event.

    `joined` are the complete events that it has read, `last` is the number of the last one.
    """

    def __init__(self, caller: Caller, run_id: str, dice: Dice) -> None:
        self.run_id = run_id
        self.joined = b""
        self.cuts = 0
        self.last: int | None = None
        self._caller = caller
        self._dice = dice

    async def read(self, cuts: int, longest: int) -> None:
        """Read the whole run with so many cuts, none after more than `longest` bytes; fewer where it ends before.

        Raises `OSError` where the server goes away.
        """
        while not await self._once(self._dice.randint(0, longest) if self.cuts < cuts else None):
            self.cuts += 1

    async def _once(self, count: int | None) -> bool:
        """Read so many bytes from the socket, or to the end; return whether that was the end."""
        async with await self._caller.follow(self.run_id, last=self.last) as wire:
            try:
                await (wire.rest() if count is None else wire.take(count))
            finally:
                self._keep(wire.body)
            if self._dice.random() < 0.5:
                wire.reset()
            return wire.ended

    def _keep(self, data: bytes) -> None:
        frames, rest = whole_frames(data)
        self.joined += data[: len(data) - len(rest)]
        if frames:
            self.last = frames[-1].id


def parts_of(frames: Sequence[Frame]) -> list[dict[str, Any]]:
    """Return the parts of the message that these events make, as the API shows them."""
    parts: list[dict[str, Any]] = []
    for frame in frames:
        if frame.event in {"text", "reasoning"}:
            if not parts or parts[-1]["type"] != frame.event:
                parts.append({"type": frame.event, "text": ""})
            parts[-1]["text"] += frame.data["delta"]
        elif frame.event == "tool.call":
            call = {name: frame.data[name] for name in ("id", "name", "arguments")}
            parts.append({"type": "tool_call", **call})
    return parts
