"""This module reads the places where settings stand: a TOML file, the environment, a `.env` file, flags."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from headrace.app.values import Given, nearest
from headrace.core.errors import SettingsError
from headrace.net.origin import parse

__all__ = ["PREFIX", "Names", "from_environment", "from_file", "from_flags", "of_studio", "read_dotenv"]

PREFIX = "HEADRACE_"

# Variables with our prefix that are no settings of the server: two are the client's, one names the file itself, and one
# is for how the program is imported.
_NOT_OURS = {"HEADRACE_URL", "HEADRACE_TOKEN", "HEADRACE_CONFIG", "HEADRACE_COMPILED"}

_TABLES = frozenset({"providers", "doors"})  # sections whose keys are tables


class Names:
    """The names that a variable may speak of: sections and their keys, providers and the keys of every kind."""

    def __init__(
        self, sections: Mapping[str, Collection[str]], provider_keys: Collection[str], providers: Collection[str]
    ) -> None:
        self.sections = sections
        self.provider_keys = provider_keys
        self.providers = providers


def from_file(path: Path) -> list[Given]:
    """Return every setting of a TOML file. Raises `SettingsError` where it cannot be read or is not TOML."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error
    return list(_flatten(document, path))


def read_dotenv(folder: Path) -> dict[str, str]:
    """Return the variables of the file `.env` in a folder; none where there is no such file. Raises `SettingsError`."""
    path = folder / ".env"
    try:
        return {name: value for name, value in dotenv_values(path).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error


def from_environment(variables: Mapping[str, str], names: Names, where: str) -> list[Given]:
    """Return the settings among these variables; `where` says whose they are, as `environment`.

    An empty variable is one that is not set. Raises `SettingsError` for a variable with our prefix that names
    no setting.
    """
    ours = {name: value for name, value in variables.items() if name.startswith(PREFIX) and name not in _NOT_OURS}
    return [
        Given(_path_of(name, names, where), value, f"{where}, {name}", is_text=True)
        # shorter names first, so that HEADRACE_SERVER_PORT is the one that counts beside HEADRACE_PORT
        for name, value in sorted(ours.items(), key=lambda item: (len(item[0]), item[0]))
        if value
    ]


def of_studio(variables: Mapping[str, str]) -> list[Given]:
    """Return what the LAM studio's own variables stand for: with `LLM_COMM_MODE=sse` the provider `lam`.

    Raises `SettingsError` for a mode that there is not, and for one without a server that can be called.
    """
    mode, url = variables.get("LLM_COMM_MODE", "").lower(), variables.get("LLM_SERVER_URL", "").rstrip("/")
    where = "environment, LLM_COMM_MODE"
    if not mode:
        return []
    if mode == "mqtt":
        raise SettingsError(f"{where}: the mode mqtt is not available yet; `sse` is")
    if mode != "sse" or not url:
        raise SettingsError(f"{where}: expected `sse`, with LLM_SERVER_URL as `http://localhost:8080`")
    try:
        parse(url)
    except SettingsError as error:
        raise SettingsError(f"environment, LLM_SERVER_URL: {error.message}") from error
    settings = {"kind": "openai", "base_url": url if url.endswith("/v1") else f"{url}/v1"}
    return [Given(("providers", "lam", key), value, where, is_text=True) for key, value in settings.items()]


def from_flags(flags: Mapping[str, Any]) -> list[Given]:
    """Return the settings that flags give: keys of `[server]`, and `model`. None is a flag that was not given."""
    return [
        Given(
            ("model",) if name == "model" else ("server", name), str(value), "--" + name.replace("_", "-"), is_text=True
        )
        for name, value in flags.items()
        if value is not None
    ]


def _flatten(document: dict[str, Any], path: Path) -> Iterator[Given]:
    """Yield every section and every key in it: an empty section that nobody knows is a mistake too."""
    for section, table in document.items():
        yield Given((section,), table, f"{path}, [{section}]" if isinstance(table, dict) else f"{path}, {section}")
        if section in _TABLES:
            yield from _tables(section, table, path)
        elif isinstance(table, dict):
            for key, value in table.items():
                yield Given((section, key), value, f"{path}, [{section}] {key}")


def _tables(section: str, tables: Any, path: Path) -> Iterator[Given]:
    for name, table in tables.items() if isinstance(tables, dict) else ():
        yield Given((section, name), table, f"{path}, [{section}.{name}]")
        for key, value in table.items() if isinstance(table, dict) else ():
            yield Given((section, name, key), value, f"{path}, [{section}.{name}] {key}")


def _path_of(variable: str, names: Names, where: str) -> tuple[str, ...]:
    rest = variable.removeprefix(PREFIX).lower()
    if rest == "model":
        return ("model",)
    section, _, key = rest.partition("_")
    if section == "providers":
        return _provider_path(variable, key, names, where)
    if section == "doors":
        door, _, rest = key.partition("_")
        return ("doors", door, rest)
    path = (section, key) if section in names.sections else ("server", rest)
    if path[1] not in names.sections[path[0]]:
        raise SettingsError(
            f"{where}, {variable}: no such setting; the nearest is {nearest(variable, _variables(names))}"
        )
    return path


def _variables(names: Names) -> list[str]:
    """Return the names of all variables but those of providers."""
    long = [f"{PREFIX}{section}_{key}".upper() for section, keys in names.sections.items() for key in keys]
    return [*long, *(f"{PREFIX}{key}".upper() for key in names.sections["server"]), f"{PREFIX}MODEL"]


def _provider_path(variable: str, rest: str, names: Names, where: str) -> tuple[str, ...]:
    """Tell the provider's name from the key: both may have underscores in them."""
    fits = {
        (name, key)
        for name in names.providers
        if (key := rest.removeprefix(_plain(name) + "_")) != rest and key in names.provider_keys
    }
    if len(fits) > 1:
        raise SettingsError(f"{where}, {variable}: fits several providers; set it in the file instead")
    if fits:
        return ("providers", *fits.pop())
    for key in sorted(names.provider_keys, key=len, reverse=True):
        if rest.endswith(f"_{key}"):
            return ("providers", rest.removesuffix(f"_{key}"), key)
    likely = nearest(rest.rpartition("_")[2], names.provider_keys)
    raise SettingsError(f"{where}, {variable}: no such key of a provider; the nearest is {likely}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())
