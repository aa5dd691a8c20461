"""Headrace's own API, `/api/v1`."""
