"""This module walks the tree of a chat's messages in SQL: up to the root, or down through all that follows.

A walk is one statement however deep the tree is. Who may see the first message may see the walk: all messages of a
chat have its owner.
"""

from sqlalchemy import CTE, ColumnElement, select

from headrace.store.schema import messages

__all__ = ["ancestors", "descendants"]


def ancestors(start: ColumnElement[bool]) -> CTE:
    """Return the message that the condition picks and those above it, with the columns `id` and `parent_id`."""
    walk = select(messages.c.id, messages.c.parent_id).where(start).cte("ancestors", recursive=True)
    return walk.union_all(select(messages.c.id, messages.c.parent_id).join(walk, messages.c.id == walk.c.parent_id))


def descendants(start: ColumnElement[bool]) -> CTE:
    """Return the messages that the condition picks and those below them, with the column `id`."""
    walk = select(messages.c.id).where(start).cte("descendants", recursive=True)
    return walk.union_all(select(messages.c.id).join(walk, messages.c.parent_id == walk.c.id))
