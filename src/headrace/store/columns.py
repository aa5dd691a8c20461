"""This module holds the column types that all tables share."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["Encoded", "Id"]

_ID_LIMIT = 2**63


class Id(TypeDecorator[int]):
    """A row's id.

    A number that no database could hold is asked for as 0, which no row has: so what is named by it is not found,
    like every other thing that is not there.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return INTEGER for SQLite, whose AUTOINCREMENT knows no other word."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the number, or 0 for one that is out of range."""
        return _in_range(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Return what does the same in one call: a turn has twenty ids."""
        del dialect
        return _in_range


class Encoded(TypeDecorator[Any]):
    """A value of the type `kind`, kept as JSON text by msgspec."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the value as JSON, None as NULL."""
        return _encoded(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Return what does the same in one call."""
        del dialect
        return _encoded

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """Return JSON as the value, NULL as None."""
        return None if value is None else self._decoder.decode(value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Return what does the same in one call."""
        del dialect, coltype
        decode = self._decoder.decode
        return lambda value: None if value is None else decode(value)


def _in_range(value: int | None) -> int | None:
    return value if value is None or -_ID_LIMIT <= value < _ID_LIMIT else 0


def _encoded(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()


_encode = msgspec.json.Encoder().encode
