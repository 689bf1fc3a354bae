"""The schema's history ends at the tables that the code asks, on both engines, and a newer one is refused."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, inspect, text

import registry.store.tables  # noqa: F401
import repository.store.tables  # noqa: F401
from database.migrate import NewerSchema, current, head, upgrade
from database.tables import METADATA


@pytest.fixture
def engine(database_url):
    found = create_engine(database_url, poolclass=NullPool)
    yield found
    found.dispose()


def test_the_history_ends_at_the_tables_of_the_code(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
    assert differences == [], "write a migration: the tables of the code are not those of the newest revision"


def test_every_table_is_there(engine):
    assert set(inspect(engine).get_table_names()) == {*METADATA.tables, "alembic_version"}


def test_upgrading_again_is_harmless(engine, database_url):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO outbox VALUES ('t', 'k', '{}', 1, 1, 0, 0, 'waiting', NULL, 1)"))
    upgrade(database_url)
    upgrade(database_url)
    assert current(database_url) == head()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT topic, key FROM outbox")).all() == [("t", "k")]


def test_an_empty_database_in_a_folder_that_is_not_there(tmp_path):
    url = f"sqlite:///{tmp_path}/a/b/registry.sqlite"
    upgrade(url)
    assert current(url) == head()


def test_an_empty_database_has_no_revision(tmp_path):
    assert current(f"sqlite:///{tmp_path}/registry.sqlite") is None


def test_a_newer_schema_is_refused_in_words(engine, database_url):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerSchema, match=f"schema 9999, written by a newer release; this one knows {head()} at most"):
        upgrade(database_url)
    assert current(database_url) == "9999"
