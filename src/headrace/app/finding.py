"""This module says what Headrace may find by itself, or brings: all that the settings do not name already."""

import contextlib
import ipaddress
from collections.abc import Iterable, Iterator
from pathlib import Path

from headrace.app.pull import models_of
from headrace.app.settings import Provider, Settings
from headrace.core.errors import SettingsError
from headrace.net.origin import Origin, parse
from headrace.providers import presets
from headrace.providers.builtin import BUILTIN, Builtin
from headrace.providers.discovery import Wanted
from headrace.providers.embedded import EmbeddedSettings
from headrace.providers.health import Watch
from headrace.providers.local import LOCAL

__all__ = ["bring_builtin", "wanted"]


def wanted(settings: Settings) -> Wanted:
    """Return what to find."""
    models, given = settings.models, settings.providers
    origins = set(_origins(given.values()))
    taken = {
        settings.server.port,
        settings.server.ollama_port,
        *(origin.port for origin in origins if _is_loopback(origin.host)),
    }
    ports: dict[str, int] = {
        name: port for name, port in models.discovery_ports.items() if name not in given and port not in taken
    }
    services = [
        name
        for name in settings.found_keys
        if name not in given and parse(presets.SERVICES[name].base_url).origin not in origins
    ]
    return Wanted(
        ports=ports if models.discovery else {},
        services=tuple(services) if models.discovery else (),
        folder=models_of(settings).path if LOCAL not in given else None,
        elsewhere=tuple(_files(given.values())),
        max_loaded=models.max_loaded,
    )


def bring_builtin(watch: Watch, settings: Settings) -> None:
    """Let the model that comes with Headrace be watched too, unless the settings do not want it."""
    if settings.models.demonstration and BUILTIN not in settings.providers:
        watch.add(Builtin(), found_by="package")


def _origins(providers: Iterable[Provider]) -> Iterator[Origin]:
    for provider in providers:
        url = getattr(provider.settings, "base_url", None)
        if isinstance(url, str):
            with contextlib.suppress(SettingsError):  # whoever makes the provider says so
                yield parse(url).origin


def _files(providers: Iterable[Provider]) -> Iterator[Path]:
    for provider in providers:
        if isinstance(provider.settings, EmbeddedSettings):
            yield provider.settings.path


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_unspecified  # who asks 0.0.0.0 reaches this machine
