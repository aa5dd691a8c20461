"""This module describes what can be set, section by section: names, types, bounds, defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from headrace.access.limits import LimitSettings
from headrace.app import logs
from headrace.providers import presets

__all__ = ["DOORS", "SECTIONS", "Door", "Journal", "Log", "Models", "Runs", "Server"]

_DAY_S = 86_400
_Timeout = Annotated[float, Meta(gt=0, le=_DAY_S)]
_Wait = Annotated[float, Meta(ge=0, le=_DAY_S)]
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Bytes = Annotated[int, Meta(ge=1024, le=2**30)]
_Days = Annotated[int, Meta(ge=1, le=36_500)]
_Port = Annotated[int, Meta(ge=1, le=65535)]
_Loaded = Annotated[int, Meta(ge=1, le=64)]
_ServerName = Literal["llamacpp", "lmstudio", "ollama"]


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "headrace"


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server listens, and where it keeps its data."""

    host: str = "127.0.0.1"
    """The address to listen on. One that other machines can reach is taken only with `access`."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    """The port to listen on; 0 takes a free one."""

    ollama_port: _Port | None = None
    """A port on which Ollama's API stands alone, as 11434: for clients that look for an Ollama there. It is below
    `/ollama` in any case. Not set: no such port."""

    data_dir: Path = msgspec.field(default_factory=_data_home)
    """The folder of the databases, made where it is missing. One server for each folder."""

    max_body_bytes: _Bytes = 4 * 1024 * 1024
    """The largest body of a request; a larger one is answered 413."""

    drain_s: _Wait = 10.0
    """How long answers may go on after SIGTERM; those that are left become `run.interrupted`."""

    access: bool = False
    """Whether everyone has to say who they are, by a token or by signing in. Without it whoever reaches the server may
    do everything, so it listens on loopback only."""

    public_url: str | None = None
    """Where people reach the server, where that is not where it listens, as `https://chat.example`. Links and the rules
    for browsers follow it; with `https` the cookie of a sign-in goes over HTTPS only."""

    allowed_hosts: tuple[str, ...] = ()
    """More names under which the server may be called, as `chat.example`; the port does not matter, `*` is any.
    Loopback, `host` and that of `public_url` always are. It keeps pages of others from reaching the server under a name
    of theirs."""

    allowed_origins: tuple[str, ...] = ()
    """Pages of others that may call the server from a browser, as `https://tools.example`."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies in front, as `127.0.0.1` or `10.0.0.0/8`: only they are believed when they say
    that they were called over HTTPS."""


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers are made at once, and how long each may be silent."""

    max: _Count = 2000
    """How many runs may go on at once, vectors in the making included; one more is answered 503."""

    first_token_timeout_s: _Timeout = 600.0
    """How long a provider may take until its first event, or for vectors in all."""

    idle_timeout_s: _Timeout = 120.0
    """How long a provider may be silent after its first event."""

    side_timeout_s: _Wait = 5.0
    """How long work beside a run may hold the run's end."""


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """How the events of runs are kept."""

    sync: Literal["normal", "full"] = "normal"
    """`normal`: what was shown survives the death of the process. `full`: also that of the machine."""

    keep_days: _Days | None = None
    """Remove the events of ended runs after so many days; their messages stay. Not set: as long as these."""


def _usual_ports() -> dict[_ServerName, _Port]:
    servers = presets.SERVERS
    return {
        "llamacpp": servers["llamacpp"].port,
        "lmstudio": servers["lmstudio"].port,
        "ollama": servers["ollama"].port,
    }


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Which model answers, and what Headrace finds by itself."""

    default: Annotated[str, Meta(min_length=1)] = "auto"
    """The model of a turn that names none: `provider/model`, a bare name, or `auto`."""

    aliases: dict[str, str] = {}
    """Other names of models, as `{ "gemma3:12b" = "box/a" }`."""

    hub: Annotated[str, Meta(min_length=1)] | None = None
    """Where models are pulled from; not set: what `HF_ENDPOINT` says, or the Hugging Face hub. The token in `HF_TOKEN`
    is shown to it, and to no other server."""

    discovery: bool = True
    """Whether to look for model servers on this machine, and for keys in the environment. A key that is found is shown
    as a provider that is off, and never used by itself."""

    discovery_ports: dict[_ServerName, _Port] = msgspec.field(default_factory=_usual_ports)
    """Where to look for which server on 127.0.0.1; one that is left out is not looked for."""

    demonstration: bool = True
    """Whether the model that comes with Headrace answers where there is no other one."""

    max_loaded: _Loaded = 2
    """How many models of the folder `models` are loaded at once. As each answer may need another one, no more answers
    than that are made at once. The model that was not used for the longest makes room."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself, on standard error."""

    level: logs.Level = "info"
    """The least that is written. Libraries are never heard below `info`."""

    format: logs.Format = "auto"
    """`json`: one object in each line. `text`: words for people. `auto`: words on a terminal, otherwise objects."""


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """How a door that speaks another system's words treats those who call it."""

    on_disconnect: Literal["stop", "detach"] = "stop"
    """What a caller who leaves before the end does to the answer, unless somebody else reads it: `stop` it, or leave it
    going (`detach`). A request with `Headrace-Detach: true` leaves it going in any case. What was made is kept."""


DOORS = ("relay", "multimodel", "tutor", "documents", "studio", "openai", "ollama")
"""The doors that have such a table."""

SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "server": Server,
    "runs": Runs,
    "limits": LimitSettings,
    "journal": Journal,
    "models": Models,
    "log": Log,
}
"""The sections of the settings; `providers` and `doors` have tables of their own."""
