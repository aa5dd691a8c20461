"""Tests of the page, with a browser and a real server."""
