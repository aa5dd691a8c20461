"""This module examines who can answer: the providers of the settings, what is found on this machine, the models."""

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import msgspec

from headrace.app.doctor_findings import Finding, ok, problem, warning
from headrace.app.doctor_machine import check_memory
from headrace.app.finding import bring_builtin, wanted
from headrace.app.pull import models_of
from headrace.app.settings import Settings
from headrace.core.clock import SystemClock
from headrace.core.errors import ProviderError, SettingsError
from headrace.core.events import Event, Reasoning, Text
from headrace.core.messages import Message, Request, TextPart
from headrace.models.catalogue import Catalogue, Target
from headrace.net.http import Client
from headrace.providers import gguf, registry
from headrace.providers.discovery import Discovery, Wanted
from headrace.providers.discovery_probe import probe
from headrace.providers.embedded import EmbeddedSettings
from headrace.providers.health import Health, Watch
from headrace.providers.port import FoundBy, Model, Provider

__all__ = ["check_models"]

_OLLAMA: Literal["ollama"] = "ollama"
_MODELS = "models"
_LOOK_S = 10.0
_ASK_S = 300.0  # the largest models take minutes to load

_REMEDIES: Mapping[str, str] = {
    "upstream_refused": "Start the model server, or correct base_url in [providers.{name}].",
    "upstream_silent": "See whether the model server is stuck, and start it again.",
    "upstream_garbled": "Correct base_url in [providers.{name}]: OpenAI-compatible servers want /v1 at its end.",
    "unknown_model": "Put the model there, or correct [providers.{name}]: its path, or base_url, which usually ends in /v1.",
    "overloaded": "Wait until it has room.",
}
"""What to do about a provider that fails with this code, where its message does not say more."""

_FOUND: Mapping[FoundBy, str] = {"settings": "", "package": " (comes with Headrace)"}


async def check_models(settings: Settings, *, ask: bool = False) -> list[Finding]:
    """Examine Ollama, every provider, and the model that would answer; with `ask` let it answer for once."""
    findings = [finding for name, each in settings.providers.items() for finding in _check_file(name, each.settings)]
    providers: list[Provider] = []
    for name, described in settings.providers.items():
        try:
            providers.append(registry.make(name, described))
        except SettingsError as error:
            findings.append(problem(_check(name), error.message, f"Correct [providers.{name}] in the settings."))
    watch = Watch(providers)
    bring_builtin(watch, settings)
    discovery = Discovery(watch, _wanted(settings), clock=SystemClock())
    try:
        await watch.start()
        await discovery.start()
        await watch.looked()
        findings += await asyncio.gather(*map(_judge_provider, watch.health()))
        findings += await _check_ollama(settings, watch)
        findings += await _check_answers(Catalogue(watch, default=settings.models.default), ask=ask)
    finally:
        await discovery.close()
        await watch.close()
    return findings


def _check(name: str) -> str:
    return f"provider {name}"


def _wanted(settings: Settings) -> Wanted:
    """Return what the server would find, and leave the data folder as it is."""
    if models_of(settings).path.is_dir():
        return wanted(settings)
    with TemporaryDirectory() as empty:
        server = msgspec.structs.replace(settings.server, data_dir=Path(empty))
        found = wanted(msgspec.structs.replace(settings, server=server))
    return msgspec.structs.replace(found, folder=None)


def _check_file(name: str, settings: msgspec.Struct) -> list[Finding]:
    """Examine the model file of a provider that has one."""
    if not isinstance(settings, EmbeddedSettings):
        return []
    check = f"model file of {name}"
    remedy = f"Download it again, or correct path in [providers.{name}] (--model)."
    try:
        unfit = gguf.read(settings.path).unfit
        size = settings.path.stat().st_size
    except OSError as error:
        return [problem(check, f"{settings.path} cannot be read: {error.strerror}.", remedy)]
    if unfit is not None:
        return [problem(check, f"{settings.path} cannot answer: {unfit}.", remedy)]
    return [ok(check, f"{settings.path} is a model."), *check_memory(settings.path.stem, size)]


async def _judge_provider(health: Health) -> Finding:
    name, check = health.provider.name, _check(health.provider.name)
    found = _FOUND.get(health.found_by, " (found on this machine)")
    match health.state:
        case "off":
            return ok(check, f"{name} is off: {health.reason}")
        case "up" if health.models:
            return ok(check, f"{name}{found} answers and lists {_counted(health.models)}.")
        case "up":
            return warning(
                check, f"{name}{found} answers, and lists no model that can chat.", f"Give {name} a model: pull one."
            )
        case _:
            return await _judge_failing(health.provider)


def _counted(models: Sequence[Model]) -> str:
    return "1 model" if len(models) == 1 else f"{len(models)} models"


async def _judge_failing(provider: Provider) -> Finding:
    """Ask once more: the error says more than the state."""
    name, check = provider.name, _check(provider.name)
    try:
        async with asyncio.timeout(_LOOK_S):
            await provider.models()
    except ProviderError as error:
        if error.details.get("loading"):
            return warning(check, f"{name} is loading its model.", "Wait a moment.")
        if error.code == "bad_key":
            return problem(check, f"{name} has no key that is accepted: {error.message}", _key_remedy(name))
        remedy = _REMEDIES.get(error.code, "See the model server's own log.")
        return problem(check, f"{name} does not answer: {error.message}", remedy.format(name=name))
    except TimeoutError:
        return problem(check, f"{name} is silent.", _REMEDIES["upstream_silent"])
    return warning(check, f"{name} did not answer at first, and does now.", "Look again.")


def _key_remedy(name: str) -> str:
    return (
        f"Put the right key into the variable that api_key_env in [providers.{name}] names, for the user and the "
        "service that run Headrace, and start it again."
    )


async def _check_ollama(settings: Settings, watch: Watch) -> list[Finding]:
    """Say what is with an Ollama on this machine that the settings do not name."""
    port = settings.models.discovery_ports.get(_OLLAMA)
    names_it = any(each.kind == _OLLAMA for each in settings.providers.values())
    found = any(health.provider.kind == _OLLAMA for health in watch.health())
    if names_it or found or port is None or not settings.models.discovery:
        return []
    client = Client()
    try:
        met = await probe(_OLLAMA, port, client)
    finally:
        await client.close()
    if met == "stranger":
        return [
            warning(
                _OLLAMA,
                f"Something that is not Ollama answers at 127.0.0.1:{port}.",
                "If Ollama is elsewhere, say where: [providers.ollama] with base_url.",
            )
        ]
    if met == "nobody" and shutil.which(_OLLAMA) is not None:
        return [
            warning(
                _OLLAMA,
                f"Ollama is installed, and nothing answers at 127.0.0.1:{port}.",
                "Start it with `ollama serve`; if it listens elsewhere, name it: [providers.ollama] with base_url.",
            )
        ]
    return [ok(_OLLAMA, f"There is no Ollama on this machine (nothing at 127.0.0.1:{port}, no command).")]


async def _check_answers(catalogue: Catalogue, *, ask: bool) -> list[Finding]:
    try:
        target = await catalogue.resolve(None)
    except ProviderError as error:
        return [problem(_MODELS, "No model answers a message that names none.", error.message)]
    if ask:
        return [await _ask(target)]
    if target.demonstration:
        return [
            warning(
                _MODELS,
                f"Only a demonstration would answer: {target.id}.",
                "Start with --model FILE.gguf, pull a model with `headrace pull`, start Ollama, or add a provider to the settings.",
            )
        ]
    return [ok(_MODELS, f"{target.id} answers a message that names no model.")]


async def _ask(target: Target) -> Finding:
    """Let the model say a few words."""
    request = Request(
        model=target.model,
        messages=(Message("user", (TextPart("Say hello."),)),),
        parameters={"max_tokens": 16},
    )
    begin = time.monotonic()
    first: list[float] = []

    def emit(events: list[Event]) -> None:
        if not first and any(isinstance(event, Text | Reasoning) for event in events):
            first.append(time.monotonic() - begin)

    try:
        async with asyncio.timeout(_ASK_S):
            await target.provider.generate(request, emit)
    except ProviderError as error:
        remedy = _REMEDIES.get(error.code, "See the log of the model's server.").format(name=target.provider.name)
        return problem(_MODELS, f"{target.id} did not answer: {error.message}", remedy)
    except TimeoutError:
        return problem(_MODELS, f"{target.id} did not answer within {_ASK_S:.0f} s.", "Take a smaller model.")
    if not first:
        return warning(_MODELS, f"{target.id} ended its answer without a word.", "Try another model.")
    return ok(_MODELS, f"{target.id} answered; its first word came after {first[0]:.2f} s.")
