"""Real servers by script, for tests."""
