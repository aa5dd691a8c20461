"""This module says which encoder a run has in each format but our own, and starts one in the middle of a run."""

from collections.abc import Callable, Sequence

from headrace.access.keys import Keys
from headrace.doors.house import House
from headrace.formats import documents, multimodel, ollama, openai_chat, relay, studio, tutor
from headrace.formats.port import StreamEncoder
from headrace.store import records

__all__ = ["FORMATS", "encoder_from", "encoder_of", "session_keys"]

FORMATS = ("relay", "multimodel", "tutor", "documents", "studio", "openai_chat", "ollama")

_KEY_DIGITS = 32  # of 4 bits: nobody guesses 128


async def encoder_of(house: House, name: str, run: records.Run) -> StreamEncoder:
    """Return a new encoder of one of `FORMATS` for a run.

    A run outside every chat is a completion in the words of Relay; Ollama's are always those of its `/api/chat`.
    """
    match name:
        case "relay":
            return relay.GenerateEncoder() if run.chat_id is None else relay.ChatEncoder()
        case "studio":
            return studio.Encoder(session_key=(await session_keys(house))(run.chat_id))
        case "openai_chat":
            return openai_chat.Encoder(
                completion_id=openai_chat.completion_id(run.id),
                model=run.model or run.model_requested,
                created=run.created_at // 1000,
                include_usage=True,
            )
        case "ollama":
            return ollama.ChatEncoder(model=run.model or run.model_requested, created_ms=run.created_at)
        case _:
            return {"multimodel": multimodel.Encoder, "tutor": tutor.Encoder, "documents": documents.Encoder}[name]()


async def encoder_from(house: House, run_id: str, start: int, encoder: StreamEncoder) -> tuple[StreamEncoder, int]:
    """Return an encoder that says nothing of what is before `start`, and from where on it is to be fed.

    Raises `UnknownRun`, `Pruned`.
    """
    before = await house.journal.read(run_id, 0, start) if start else ()
    encoder.skip(before)
    return (encoder if len(before) == start else _Silent(encoder, start)), len(before)


async def session_keys(house: House) -> Callable[[int | None], str]:
    """Return what makes the studio's handle of a chat: always the same, and nobody's guess; empty for no chat."""
    keys = Keys(await house.store.secrets.master())

    def key(chat_id: int | None) -> str:
        return "" if chat_id is None else keys.digest("studio session", str(chat_id)).hex()[:_KEY_DIGITS]

    return key


class _Silent:
    """An encoder that is fed from before `start` on, where a reader begins at what is still to be made."""

    def __init__(self, encoder: StreamEncoder, start: int) -> None:
        self.content_type = encoder.content_type
        self.start = encoder.start
        self.skip = encoder.skip
        self.keepalive = encoder.keepalive
        self._encoder = encoder
        self._start = start

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        """See `formats.port.StreamEncoder.encode`."""
        known = max(0, self._start - seq)
        self._encoder.skip(entries[:known])
        return self._encoder.encode(seq + known, entries[known:], merge=merge)
