"""This module says where models are pulled from and to, as the settings and the environment have it."""

import os

import msgspec

from headrace.app.folder import MODELS
from headrace.app.settings import Settings
from headrace.models.folder import ModelFolder
from headrace.models.hub import DEFAULT_ENDPOINT, Found, Hub, parse_name
from headrace.net.port import Transport

__all__ = ["find", "hub_of", "models_of"]


def hub_of(settings: Settings, transport: Transport) -> Hub:
    """Return the hub of the settings, with the token of `HF_TOKEN`. Raises `SettingsError` where it has no URL."""
    endpoint = settings.models.hub or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT
    # a token that was read from a file may have the file's line end
    return Hub(transport, endpoint, os.environ.get("HF_TOKEN", "").strip() or None)


def models_of(settings: Settings) -> ModelFolder:
    """Return the folder of models in the data folder."""
    return ModelFolder(settings.server.data_dir / MODELS)


async def find(hub: Hub, model: str, *, file: str | None = None, sha256: str | None = None) -> Found:
    """Return the file that is meant by a name on the hub, or by a URL; `sha256` is what it must be.

    Raises what `Hub.find` and `Hub.at` raise.
    """
    found = await hub.at(model) if "://" in model else await hub.find(parse_name(model, file=file))
    if sha256 is None:
        return found
    return Found(msgspec.structs.replace(found.source, sha256=sha256.lower()), found.file)
