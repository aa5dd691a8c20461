"""This module lets `python -m headrace` do what `headrace` does."""

from headrace.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    main(prog_name="headrace")
