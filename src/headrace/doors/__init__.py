"""The ways in: routes, and the one loop that follows a run."""
