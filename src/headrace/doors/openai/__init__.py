"""OpenAI's API: what its clients call."""
