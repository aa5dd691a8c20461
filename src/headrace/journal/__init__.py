"""The durable log of every run: events in, the same events out, from any position, for as long as they are kept."""
