"""This module pulls one model: from wherever it was found into the folder of models."""

import asyncio
from pathlib import Path

import msgspec

from headrace.models.folder import ModelFolder
from headrace.models.hub import Found
from headrace.net.download import Patience, Progress, download
from headrace.net.port import Transport

__all__ = ["Pulled", "pull"]


class Pulled(msgspec.Struct, frozen=True):
    """A model that is there now; `fresh` says whether it was not before, `verified` whether its hash was compared."""

    path: Path
    fresh: bool
    verified: bool


async def pull(
    transport: Transport,
    found: Found,
    folder: ModelFolder,
    *,
    progress: Progress,
    name: str | None = None,
    patience: Patience | None = None,
) -> Pulled:
    """Download a model, or go on with one that broke off; one that is there is left alone.

    `name` is what the file is to be called instead of its own name. Raises what `ModelFolder` and `download` raise.
    """
    with folder.claimed(name or found.file) as target:
        if await asyncio.to_thread(folder.is_there, target, found.source.sha256):
            return Pulled(target, fresh=False, verified=True)
        done = await download(transport, found.source, target, progress=progress, patience=patience)
    return Pulled(target, fresh=True, verified=done.verified)
