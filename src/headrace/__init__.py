"""Headrace: a self-hosted streaming server for LLM chat in which no token is ever lost."""

from headrace import compiled

__all__ = ["__version__"]

__version__ = "0.1.0"

compiled.enable()
