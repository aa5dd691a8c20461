"""Ollama's API: what its clients call, below `/ollama`, at the root, and on a port of its own."""
