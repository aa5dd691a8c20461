"""The encoders and decoders of the five contracts, the runs they are tested with, and their front ends' code."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from cutting import GOLDEN

from headrace.core.events import Event
from headrace.formats import contract, documents, multimodel, native, relay, studio, tutor

SESSION_KEY = "user1-abc123"
RUNS = ("answer", "thoughts", "stopped", "failed", "interrupted", "empty", "refused")
BROKEN = ("failed", "interrupted", "refused")


class Door(NamedTuple):
    """One stream: who encodes it, who decodes it, and where its golden files are (`RUN` stands for the run's name)."""

    encoder: Callable[[], contract.Encoder]
    decoder: Callable[[], contract.Decoder[Any]]
    golden: str
    shows_thoughts: bool = True

    def stream(self, run: str) -> bytes:
        return (GOLDEN / self.golden.replace("RUN", run)).read_bytes()


DOORS = {
    "relay.generate": Door(
        relay.GenerateEncoder, relay.GenerateDecoder, "relay/RUN.generate.sse", shows_thoughts=False
    ),
    "relay.chat": Door(relay.ChatEncoder, relay.ChatDecoder, "relay/RUN.chat.sse"),
    "multimodel": Door(multimodel.Encoder, multimodel.Decoder, "multimodel/RUN.sse"),
    "tutor": Door(tutor.Encoder, tutor.Decoder, "tutor/RUN.sse", shows_thoughts=False),
    "documents": Door(documents.Encoder, documents.Decoder, "documents/RUN.sse"),
    "documents.searched": Door(
        lambda: documents.Encoder(searches=True), documents.Decoder, "documents/RUN.searched.sse"
    ),
    "studio": Door(lambda: studio.Encoder(session_key=SESSION_KEY), studio.Decoder, "studio/RUN.sse"),
}
GOLDEN_RUNS = [(name, run) for name in DOORS for run in RUNS if name != "documents.searched" or run == "answer"]


def contract_run(name: str) -> list[bytes]:
    """Return the entries of a run."""
    return (GOLDEN / "contract" / f"{name}.jsonl").read_bytes().splitlines()


def entries_of(*happened: Event) -> list[bytes]:
    return [native.encode(event, 0) for event in happened]


def encoded(encoder: contract.Encoder, *happened: Event) -> bytes:
    return encoder.start() + encoder.encode(0, entries_of(*happened))


def parsed(read: bytes) -> list[Any]:
    """Return what the front ends make of one read: `decoder.decode(value).split('\\n')`, each part parsed alone."""
    return [json.loads(line[6:]) for line in read.decode().split("\n") if line.startswith("data: ")]


def piece_of(said: dict[str, Any]) -> str:
    """Return the piece of the answer in an event, as the front ends find it."""
    if "type" not in said:
        return str(said.get("token", ""))
    return str(said["content"]) if said["type"] in {"token", "chunk"} else ""
