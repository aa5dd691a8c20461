"""Bytes to events and back: pure, decoder and encoder of one format side by side."""
