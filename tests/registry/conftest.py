"""A registry on each engine: empty for one test, or shared by a module that only asks."""

import shutil
import threading

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


@pytest.fixture
def both_at_once(kept):
    """Registers the first, and before it commits lets the second come as far as it can: what became of the second."""

    def run(first, second):
        outcome: list[BaseException | None] = []

        def late() -> None:
            try:
                kept.registry.submit(second, keeping.CALLER)
                outcome.append(None)
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=late)

        def work(unit):
            kept.registry.register(unit, kept.registry.prepare(first), keeping.CALLER)
            thread.start()
            # SQLite lets nobody in before the commit; on PostgreSQL the other must come to wait for us.
            while kept.database.dialect == "postgresql" and thread.is_alive() and not waiting():
                thread.join(0.01)

        def waiting():
            return kept.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")  # fmt: skip

        kept.database.transact(work)
        thread.join(30)
        return outcome[0]

    return run
