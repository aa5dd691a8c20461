"""This module holds the settings: what can be set, and how one whole is made of all that was set.

One TOML file, over it a `.env` beside the file, over it the environment, over it flags. A value is checked where
it stands, also when another hides it, so that a wrong one does not wait for the day it is used.
"""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from headrace.access.limits import LimitSettings
from headrace.app import reach, sources
from headrace.app.sections import DOORS, SECTIONS, Door, Journal, Log, Models, Runs, Server
from headrace.app.values import Given, convert, nearest
from headrace.core.errors import SettingsError
from headrace.providers import presets, registry

__all__ = [
    "DOORS",
    "EMBEDDED",
    "SECTIONS",
    "UNAVAILABLE",
    "Door",
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
    "kinds": ("anthropic", "gemini", "mqtt"),
}
"""What is planned and refused by name until it is there: kinds of providers."""

EMBEDDED = "embedded"
"""The name of the provider that `--model FILE` makes."""

_KEY = "api_key"
_KEY_ENV = "api_key_env"
_ENABLED = "enabled"
# what may stand before the slash of a model's id
_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


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
    """All settings. `providers` has the checked table of each provider by its name, `doors` those that were given.

    `found_keys` names the services whose usual variable holds a key in the environment: a key is never kept here.
    `streaming` is `ENABLE_STREAMING` of the environment: whether the door of the chat about documents streams.
    """

    server: Server = msgspec.field(default_factory=Server)
    runs: Runs = msgspec.field(default_factory=Runs)
    limits: LimitSettings = msgspec.field(default_factory=LimitSettings)
    journal: Journal = msgspec.field(default_factory=Journal)
    models: Models = msgspec.field(default_factory=Models)
    log: Log = msgspec.field(default_factory=Log)
    doors: dict[str, Door] = {}
    providers: dict[str, Provider] = {}
    found_keys: tuple[str, ...] = ()
    streaming: bool = True


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
        sections={name: set(_types(section)) for name, section in SECTIONS.items()},
        provider_keys={"kind", _ENABLED}.union(*(_provider_types(kind) for kind in kinds.values())),
        providers={one.path[1] for one in given if one.path[0] == "providers" and len(one.path) > 1},
    )
    variables = {**dotenv, **environ}
    given += sources.of_studio(variables)
    given += sources.from_environment(dotenv, names, ".env")
    given += sources.from_environment(environ, names, "environment")
    given += sources.from_flags(flags or {})
    return _assemble(given, kinds, variables)


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
    doors: dict[str, dict[str, Any]] = {}
    tables: dict[str, dict[str, Given]] = {}
    places: dict[str, str] = {}
    for given in all_given:
        for one in _provider_of_file(given) if given.path == ("model",) else [given]:
            match one.path:
                case (section,):
                    _check_section(one, section)
                case ("doors", name, *keys):
                    doors.setdefault(name, {}).update(_door(one, name, keys))
                case ("providers", name):
                    _check_table(one, "a provider is a table, as [providers.box]")
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
        limits=LimitSettings(**values["limits"]),
        journal=Journal(**values["journal"]),
        models=Models(**values["models"]),
        log=Log(**values["log"]),
        doors={name: Door(**table) for name, table in doors.items()},
        providers=providers,
        found_keys=tuple(name for name, service in presets.SERVICES.items() if environ.get(service.variable)),
        streaming=convert(_streaming(environ), bool),
    )


def _streaming(environ: Mapping[str, str]) -> Given:
    name = "ENABLE_STREAMING"
    return Given((name,), environ.get(name) or "true", f"environment, {name}", is_text=True)


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
    known = [f"[{name}]" for name in (*SECTIONS, "doors", "providers")]
    if not isinstance(given.value, dict):
        keys = [f"[server] {key}" for key in _types(Server)]
        raise SettingsError(f"{given.where}: stands in no section; the nearest setting is {nearest(section, keys)}")
    if f"[{section}]" not in known:
        raise SettingsError(f"{given.where}: no such section; the nearest is {nearest(f'[{section}]', known)}")


def _check_table(given: Given, words: str) -> None:
    if not isinstance(given.value, dict):
        raise SettingsError(f"{given.where}: {words}")


def _door(given: Given, name: str, keys: list[str]) -> dict[str, Any]:
    """Return what a setting of a door says: nothing, or one key and its value."""
    if name not in DOORS:
        raise SettingsError(f"{given.where}: no such door {name!r}; the nearest is {nearest(name, DOORS)}")
    if not keys:
        _check_table(given, "a door has a table, as [doors.tutor]")
    return {key: convert(given, _known(key, _types(Door), given.where)) for key in keys}


def _value(given: Given, section: str, key: str) -> Any:
    value = convert(given, _known(key, _types(SECTIONS[section]), given.where))
    if section == "server":
        reach.check(key, value, given.where)
    return value


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
