"""The engine: the life of a run."""
