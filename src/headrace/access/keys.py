"""This module derives one key for each purpose from the server's one master secret."""

import hashlib
import hmac

__all__ = ["Keys", "hkdf"]

_HASH = "sha256"
_HASH_BYTES = hashlib.new(_HASH).digest_size
_KEY_BYTES = 32
_MOST_BLOCKS = 255  # the number of a block is one byte


class Keys:
    """Keys for purposes: what is made under one says nothing of another, and is of no use in its place."""

    def __init__(self, master: bytes) -> None:
        """Take the master secret. Raises `ValueError` where it is shorter than 32 bytes."""
        if len(master) < _KEY_BYTES:
            raise ValueError(f"a master secret has at least {_KEY_BYTES} bytes, not {len(master)}")
        self._master = master
        self._keys: dict[str, bytes] = {}

    def key(self, purpose: str) -> bytes:
        """Return the 32 bytes for a purpose, always the same: HKDF-SHA256 with the label `headrace/` + purpose.

        A purpose is a word of this program, never of a caller: each one is remembered.
        """
        if purpose not in self._keys:
            label = f"headrace/{purpose}".encode()
            self._keys[purpose] = hkdf(self._master, salt=b"", info=label, length=_KEY_BYTES)
        return self._keys[purpose]

    def digest(self, purpose: str, secret: str) -> bytes:
        """Return the 32 bytes by which a secret is known in the store: HMAC-SHA256 under the purpose's key.

        Any text has one, also one with lone surrogates.
        """
        return hmac.digest(self.key(purpose), secret.encode(errors="surrogatepass"), _HASH)


def hkdf(material: bytes, *, salt: bytes, info: bytes, length: int) -> bytes:
    """Return `length` bytes, 0 to 8160, derived from key material by HKDF-SHA256 (RFC 5869).

    Raises `ValueError` where more is asked for.
    """
    if length > _MOST_BLOCKS * _HASH_BYTES:
        raise ValueError(f"HKDF-SHA256 makes at most {_MOST_BLOCKS * _HASH_BYTES} bytes, not {length}")
    extracted = hmac.digest(salt, material, _HASH)  # no salt is one of zeros: HMAC fills its key up with them
    made = block = b""
    for number in range(1, -(-length // _HASH_BYTES) + 1):
        block = hmac.digest(extracted, block + info + bytes([number]), _HASH)
        made += block
    return made[:length]
