"""Alembic's environment: `database.migrate` hands in the engine."""

from alembic import context

from database.tables import METADATA

engine = context.config.attributes["engine"]
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=METADATA)
    with context.begin_transaction():
        context.run_migrations()
