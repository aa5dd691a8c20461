"""This module is what Alembic runs: it applies revisions in the transaction that `store.migrate` began."""

from alembic import context

from headrace.store.schema import metadata

__all__: list[str] = []

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
