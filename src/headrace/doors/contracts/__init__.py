"""The doors of the five systems that Headrace replaces."""
