"""Settings, and how everything is put together."""
