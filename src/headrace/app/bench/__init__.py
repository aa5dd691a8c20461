"""How fast Headrace is here, and whether it keeps its promises: its own model server, load, crashes and faults."""
