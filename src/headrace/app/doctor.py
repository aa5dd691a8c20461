"""This module examines a set-up of Headrace: every check once, and what each found."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import headrace
from headrace.app import settings
from headrace.app.doctor_databases import check_databases
from headrace.app.doctor_findings import Finding, ok, problem
from headrace.app.doctor_folder import check_folder
from headrace.app.doctor_machine import check_open_files, check_port, judge_clock
from headrace.app.doctor_models import check_models
from headrace.app.doctor_url import check_url
from headrace.app.reach import check_listening
from headrace.app.settings import Settings
from headrace.core.errors import SettingsError
from headrace.net.http import Client

__all__ = ["examine"]

_SETTINGS = "settings"


async def examine(
    *,
    config: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    url: str | None = None,
    authorization: str | None = None,
    ask: bool = False,
) -> list[Finding]:
    """Return what every check found, the settings first.

    `config` and `flags` are those of `settings.load`. With `url` the way to the server is examined too, its requests
    carrying `authorization`; with `ask` the model that would answer is asked. Where the settings cannot be loaded,
    only what does not need them is examined. Changes nothing: a chat that it makes at `url` is removed again.
    """
    drift = time.time() - time.monotonic()
    findings: list[Finding] = []
    data_dir: Path | None = None
    try:
        loaded = settings.load(config=config, flags=flags)
        check_listening(loaded.server)
    except SettingsError as error:
        remedy = "Mend it where the message says; docs/settings.md lists every setting."
        findings.append(problem(_SETTINGS, error.message, remedy))
    else:
        data_dir = loaded.server.data_dir
        where = f"{config} and the environment" if config else "the environment; there is no file"
        findings += [ok(_SETTINGS, f"The settings are in order ({where}).")]
        findings += await _examine_server(loaded, ask=ask)
    if url is not None:
        findings += await check_url(url, authorization)
    stamps = await asyncio.to_thread(_stamps, data_dir)
    findings.append(judge_clock(time.time(), stamps, time.time() - time.monotonic() - drift))
    return findings


async def _examine_server(loaded: Settings, *, ask: bool) -> list[Finding]:
    server = loaded.server
    client = Client()
    try:
        port = await check_port(server.host, server.port, client)
    finally:
        await client.close()
    folder = await asyncio.to_thread(check_folder, server.data_dir)
    databases = await asyncio.to_thread(check_databases, server.data_dir) if server.data_dir.is_dir() else []
    return [
        port,
        *folder,
        *databases,
        *check_open_files(loaded.runs.max),
        *await check_models(loaded, ask=ask),
    ]


def _stamps(data_dir: Path | None) -> dict[str, float]:
    """Return when things came about that cannot lie in the future."""
    files = {"this version of Headrace": Path(headrace.__file__)}
    if data_dir is not None:
        files |= {name: data_dir / name for name in ("headrace.db", "journal.db")}
    stamps = {}
    for name, path in files.items():
        try:
            stamps[name] = path.stat().st_mtime
        except OSError:
            continue  # it is not there yet
    return stamps
