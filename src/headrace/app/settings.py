"""This module holds the settings: what can be set, and how one whole is made of all that was set.

One TOML file, over it a `.env` beside the file, over it the environment, over it flags. A value is checked where
it stands, also when another hides it, so that a wrong one does not wait for the day it is used.
"""

import ipaddress
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headrace.app import logs, sources
from headrace.app.values import Given, convert, nearest
from headrace.core.errors import SettingsError
from headrace.providers import presets, registry

__all__ = [
    "EMBEDDED",
    "UNAVAILABLE",
    "Journal",
    "Log",
    "Models",
    "Provider",
    "Runs",
    "Server",
    "Settings",
    "check_provider",
    "load",
]

UNAVAILABLE: Mapping[str, Collection[str]] = {
    "server": ("access", "allowed_hosts", "allowed_origins", "ollama_port", "public_url", "trusted_proxies"),
    "doors": (),
    "kinds": ("anthropic", "gemini", "mqtt"),
}
"""What is planned and refused by name until it is there: keys of a section, whole sections, kinds of providers."""

EMBEDDED = "embedded"
"""The name of the provider that `--model FILE` makes."""

_DAY_S = 86_400
_Timeout = Annotated[float, Meta(gt=0, le=_DAY_S)]
_Wait = Annotated[float, Meta(ge=0, le=_DAY_S)]
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]
_Bytes = Annotated[int, Meta(ge=1024, le=2**30)]
_Days = Annotated[int, Meta(ge=1, le=36_500)]
_Port = Annotated[int, Meta(ge=1, le=65535)]
_Loaded = Annotated[int, Meta(ge=1, le=64)]
_ServerName = Literal["llamacpp", "lmstudio", "ollama"]
_KEY = "api_key"
_KEY_ENV = "api_key_env"
_ENABLED = "enabled"
# what may stand before the slash of a model's id
_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _data_home() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "headrace"


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server listens, and where it keeps its data."""

    host: str = "127.0.0.1"
    """The address to listen on. There is no access control yet, so only loopback is taken."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    """The port to listen on; 0 takes a free one."""

    data_dir: Path = msgspec.field(default_factory=_data_home)
    """The folder of the databases, made where it is missing. One server for each folder."""

    max_body_bytes: _Bytes = 4 * 1024 * 1024
    """The largest body of a request; a larger one is answered 413."""

    drain_s: _Wait = 10.0
    """How long answers may go on after SIGTERM; those that are left become `run.interrupted`."""


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """How many answers are made at once, and how long each may be silent."""

    max: _Count = 2000
    """How many runs may go on at once; one more is answered 503."""

    first_token_timeout_s: _Timeout = 600.0
    """How long a provider may take until its first event."""

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


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """The table `[providers.NAME]`: its kind, and the rest as that kind's struct.

    `missing` names the variable of `api_key_env` that is not set: then the provider has no key, and is down. One that
    is not `enabled` is off.
    """

    kind: str
    settings: msgspec.Struct
    missing: str | None = None
    enabled: bool = True


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. `providers` has the checked table of each provider by its name.

    `found_keys` names the services whose usual variable holds a key in the environment: a key is never kept here.
    """

    server: Server = msgspec.field(default_factory=Server)
    runs: Runs = msgspec.field(default_factory=Runs)
    journal: Journal = msgspec.field(default_factory=Journal)
    models: Models = msgspec.field(default_factory=Models)
    log: Log = msgspec.field(default_factory=Log)
    providers: dict[str, Provider] = {}
    found_keys: tuple[str, ...] = ()


SECTIONS: Mapping[str, type[msgspec.Struct]] = {
    "server": Server,
    "runs": Runs,
    "journal": Journal,
    "models": Models,
    "log": Log,
}


def load(
    *,
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    kinds: Mapping[str, type[msgspec.Struct]] | None = None,
) -> Settings:
    """Return the settings from a TOML file, the `.env` beside it, the environment and flags.

    `flags` are keys of `[server]` and `model`, a GGUF file; None is one that was not given. Without `config` there is
    no file, and `.env` is that of the working directory. `environ` is the process's own unless it is given; `kinds`,
    the struct of each kind of provider, is what the registry has. Raises `SettingsError`.
    """
    environ = os.environ if environ is None else environ
    kinds = {name: kind.settings for name, kind in registry.KINDS.items()} if kinds is None else kinds
    dotenv = sources.read_dotenv(config.parent if config else Path())
    given = sources.from_file(config) if config else []
    names = sources.Names(
        sections={name: {*_types(section), *UNAVAILABLE.get(name, ())} for name, section in SECTIONS.items()},
        provider_keys={"kind", _ENABLED}.union(*(_provider_types(kind) for kind in kinds.values())),
        providers={one.path[1] for one in given if one.path[0] == "providers" and len(one.path) > 1},
    )
    given += sources.from_environment(dotenv, names, ".env")
    given += sources.from_environment(environ, names, "environment")
    given += sources.from_flags(flags or {})
    return _assemble(given, kinds, {**dotenv, **environ})


def check_provider(
    name: str,
    table: Mapping[str, Given],
    *,
    where: str,
    kinds: Mapping[str, type[msgspec.Struct]],
    environ: Mapping[str, str],
) -> Provider:
    """Return the table of the provider `name`, checked. Raises `SettingsError`.

    `table` has what is given for each key; `where` says where the provider stands; `kinds` has the struct of each
    kind; `environ` what `api_key_env` may name. A key that is given itself beats the name of one. With `enabled`, a
    provider of `providers.presets` needs nothing else.
    """
    if not _PROVIDER_NAME.fullmatch(name):
        raise SettingsError(f"{where}: a provider's name is made of letters, digits, `-`, `_` and `.`")
    if _ENABLED in table and "kind" not in table:
        table = {**_preset(name, table[_ENABLED].where), **table}
    if "kind" not in table:
        raise SettingsError(f"{where}: the provider {name} needs `kind`: {_listed(kinds)}")
    kind = _kind(table["kind"], kinds)
    types = _provider_types(kinds[kind])
    values = {key: convert(given, _known(key, types, given.where)) for key, given in table.items() if key != "kind"}
    enabled = values.pop(_ENABLED, True)
    variable = values.pop(_KEY_ENV, None)
    if variable is not None and environ.get(variable):
        values.setdefault(_KEY, environ[variable])
    required = {field.name for field in msgspec.structs.fields(kinds[kind]) if field.required}
    if required - values.keys():
        raise SettingsError(
            f"{table['kind'].where}: the provider {name} also needs {_listed(required - values.keys())}"
        )
    missing = None if _KEY in values else variable
    return Provider(kind=kind, settings=kinds[kind](**values), missing=missing, enabled=enabled)


def _preset(name: str, where: str) -> dict[str, Given]:
    preset = presets.table(name)
    return {key: Given(("providers", name, key), value, where, is_text=True) for key, value in preset.items()}


def _assemble(
    all_given: list[Given], kinds: Mapping[str, type[msgspec.Struct]], environ: Mapping[str, str]
) -> Settings:
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    tables: dict[str, dict[str, Given]] = {}
    places: dict[str, str] = {}
    for given in all_given:
        for one in _provider_of_file(given) if given.path == ("model",) else [given]:
            match one.path:
                case (section,):
                    _check_section(one, section)
                case ("providers", name):
                    _check_table(one)
                    places[name] = one.where
                case ("providers", name, key):
                    places.setdefault(name, one.where)
                    tables.setdefault(name, {})[key] = one
                case (section, key):
                    values[section][key] = _value(one, section, key)
                case _ as path:
                    raise AssertionError(path)
    providers = {
        name: check_provider(name, tables.get(name, {}), where=where, kinds=kinds, environ=environ)
        for name, where in places.items()
    }
    return Settings(
        server=Server(**values["server"]),
        runs=Runs(**values["runs"]),
        journal=Journal(**values["journal"]),
        models=Models(**values["models"]),
        log=Log(**values["log"]),
        providers=providers,
        found_keys=tuple(name for name, service in presets.SERVICES.items() if environ.get(service.variable)),
    )


def _provider_of_file(given: Given) -> list[Given]:
    """Return what `--model FILE` stands for: a provider of its own, and that it answers."""
    path = Path(given.value).expanduser()
    if not path.is_file():
        raise SettingsError(f"{given.where}: there is no file {path}")
    settings = {
        ("providers", EMBEDDED, "kind"): EMBEDDED,
        ("providers", EMBEDDED, "path"): str(path),
        ("models", "default"): f"{EMBEDDED}/{path.stem}",
    }
    return [Given(key, value, given.where, is_text=True) for key, value in settings.items()]


def _check_section(given: Given, section: str) -> None:
    if section in UNAVAILABLE and section not in SECTIONS:
        raise SettingsError(f"{given.where}: not available yet")
    known = [f"[{name}]" for name in (*SECTIONS, "providers")]
    if not isinstance(given.value, dict):
        keys = [f"[server] {key}" for key in _types(Server)]
        raise SettingsError(f"{given.where}: stands in no section; the nearest setting is {nearest(section, keys)}")
    if f"[{section}]" not in known:
        raise SettingsError(f"{given.where}: no such section; the nearest is {nearest(f'[{section}]', known)}")


def _check_table(given: Given) -> None:
    if not isinstance(given.value, dict):
        raise SettingsError(f"{given.where}: a provider is a table, as [providers.box]")


def _value(given: Given, section: str, key: str) -> Any:
    if key in UNAVAILABLE.get(section, ()):
        raise SettingsError(f"{given.where}: not available yet")
    value = convert(given, _known(key, _types(SECTIONS[section]), given.where))
    if (section, key) == ("server", "host"):
        _check_host(value, given.where)
    return value


def _check_host(host: str, where: str) -> None:
    """Refuse every address that other machines can reach: whoever reaches the server may read everything."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise SettingsError(
            f"{where}: {host} is not available yet, as there is no access control; 127.0.0.1, ::1 and localhost are"
        )


def _kind(given: Given, kinds: Mapping[str, type[msgspec.Struct]]) -> str:
    kind = str(convert(given, str))
    if kind in UNAVAILABLE["kinds"]:
        raise SettingsError(f"{given.where}: the kind {kind} is not available yet; these are: {_listed(kinds)}")
    if kind not in kinds:
        raise SettingsError(f"{given.where}: no such kind {kind!r}; the nearest is {nearest(kind, kinds)}")
    return kind


def _known(key: str, types: Mapping[str, Any], where: str) -> Any:
    """Return the type of a key. Raises `SettingsError` where there is none such."""
    if key not in types:
        raise SettingsError(f"{where}: no such key; the nearest is {nearest(key, types)}")
    return types[key]


def _provider_types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of a kind's keys; with a key of the upstream there is also the name of its variable."""
    types = {**_types(struct), _ENABLED: bool}
    return types | {_KEY_ENV: str} if _KEY in types else types


def _types(struct: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def _listed(words: Collection[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))
