"""This module names the recipe by its hash, which the model carries, so that a model tells what it was made from."""

import hashlib
from pathlib import Path

__all__ = ["recipe_hash"]

_PARTS = ("conversations*.py", "wording.py", "tokenizer.py", "model.py", "train.py", "convert.py", "requirements.txt")


def recipe_hash() -> str:
    """Return the SHA-256 over the names and the contents of the recipe's files, in the order of their names."""
    folder = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted({path for part in _PARTS for path in folder.glob(part)}):
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()
