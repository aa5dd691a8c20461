"""This module knows the model servers and services that most people have: their names, addresses and keys.

Each name is the provider's own, so that what Headrace finds and what the settings say of it meet.
"""

from collections.abc import Mapping

import msgspec

__all__ = ["SERVERS", "SERVICES", "Server", "Service", "table"]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A model server for one's own machine: the kind that asks it, its usual port, and what follows that in its URL."""

    title: str
    kind: str
    port: int
    path: str = ""

    def base_url(self, port: int) -> str:
        """Return the address to ask where it listens on this port of loopback."""
        return f"http://127.0.0.1:{port}{self.path}"


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A service on the internet: the kind that asks it, its address, and the variable that usually holds the key."""

    kind: str
    base_url: str
    variable: str


SERVERS: Mapping[str, Server] = {
    "llamacpp": Server(title="llama.cpp's server", kind="openai", port=8080, path="/v1"),
    "lmstudio": Server(title="LM Studio", kind="openai", port=1234, path="/v1"),
    "ollama": Server(title="Ollama", kind="ollama", port=11434),
}

SERVICES: Mapping[str, Service] = {
    "anthropic": Service(kind="anthropic", base_url="https://api.anthropic.com", variable="ANTHROPIC_API_KEY"),
    "deepseek": Service(kind="openai", base_url="https://api.deepseek.com/v1", variable="DEEPSEEK_API_KEY"),
    "gemini": Service(
        kind="gemini", base_url="https://generativelanguage.googleapis.com/v1beta", variable="GEMINI_API_KEY"
    ),
    "groq": Service(kind="openai", base_url="https://api.groq.com/openai/v1", variable="GROQ_API_KEY"),
    "mistral": Service(kind="openai", base_url="https://api.mistral.ai/v1", variable="MISTRAL_API_KEY"),
    "openai": Service(kind="openai", base_url="https://api.openai.com/v1", variable="OPENAI_API_KEY"),
    "openrouter": Service(kind="openai", base_url="https://openrouter.ai/api/v1", variable="OPENROUTER_API_KEY"),
}


def table(name: str) -> dict[str, str]:
    """Return what `[providers.NAME]` would say of one that is known, `kind` and all; empty for any other name."""
    if name in SERVERS:
        server = SERVERS[name]
        return {"kind": server.kind, "base_url": server.base_url(server.port)}
    if name in SERVICES:
        service = SERVICES[name]
        return {"kind": service.kind, "base_url": service.base_url, "api_key_env": service.variable}
    return {}
