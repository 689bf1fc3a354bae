"""A registry on each engine: empty for one test, or shared by a module that only asks."""

import shutil

import keeping
import pytest


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_url(request, tmp_path_factory):
    """A migrated database that all tests of a module share."""
    if request.param == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        path = tmp_path_factory.mktemp("shared") / "registry.sqlite"
        shutil.copy(template, path)
        yield f"sqlite:///{path}"
    else:
        databases = request.getfixturevalue("postgres_databases")
        url = databases.fresh()
        yield url
        databases.drop(url)


@pytest.fixture
def kept(shared_url):
    """An empty registry: its module's database with every row taken out, which is quicker than a new one."""
    found = keeping.Keeping(shared_url)
    found.empty()
    yield found
    found.database.close()
