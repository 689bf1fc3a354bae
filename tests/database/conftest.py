"""One database on each engine for many tests, emptied before each: quicker than a new one."""

import shutil

import pytest
from sqlalchemy import NullPool, create_engine

import registry.store.tables  # noqa: F401
import repository.store.tables  # noqa: F401
from database.tables import METADATA


@pytest.fixture(scope="module")
def module_postgresql(postgres_databases):
    url = postgres_databases.fresh()
    yield url
    postgres_databases.drop(url)


@pytest.fixture(scope="module")
def module_sqlite(sqlite_template, tmp_path_factory):
    path = tmp_path_factory.mktemp("module") / "registry.sqlite"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


def emptied(url):
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for table in METADATA.tables.values():
            connection.execute(table.delete())
    return url


@pytest.fixture
def empty_postgresql(module_postgresql):
    return emptied(module_postgresql)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request):
    return emptied(request.getfixturevalue(f"module_{request.param}"))
