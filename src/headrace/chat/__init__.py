"""One conversation turn from start to end."""
