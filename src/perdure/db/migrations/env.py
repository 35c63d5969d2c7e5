"""Alembic's entrance: runs the revisions on the connection it is given, in its transaction."""

from alembic import context

from perdure.db.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
