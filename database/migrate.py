"""The database's schema through its life: Alembic, run by the product itself at each start.

An archive outlives many releases, so the tables have had a history from the first of them on. A database that a newer
release wrote is refused in words.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.pool import NullPool

MIGRATIONS = Path(__file__).parent / "migrations"


class NewerSchema(Exception):
    """The database was written by a release that this one does not know."""


def _config(engine: Engine | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return create_engine(parsed, poolclass=NullPool)


def head() -> str:
    """The revision that this release needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current(url: str) -> str | None:
    """The revision that the database has; None for an empty one."""
    with _engine(url).connect() as connection:
        revision: str | None = MigrationContext.configure(connection).get_current_revision()
        return revision


def upgrade(url: str) -> None:
    """Bring the database to this release's schema.

    Raises:
        NewerSchema: it has a revision that this release does not know.
    """
    script = ScriptDirectory.from_config(_config())
    found = current(url)
    if found == script.get_current_head():
        return
    if found is not None and found not in {revision.revision for revision in script.walk_revisions()}:
        raise NewerSchema(
            f"the database has schema {found}, written by a newer release; this one knows {head()} at most"
        )
    command.upgrade(_config(_engine(url)), "head")
