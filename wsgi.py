"""The plain WSGI entry, `wsgi:application`, for any server; and `cli`, the command `xdsi`."""

from functools import cache
from typing import Any

from profiles.commands import command_line


def extras() -> tuple[Any, ...]:
    """What is added to the application: request ids for its logs, and what stands above the profiles."""
    from conformance import system
    from profiles import logs

    return (logs.register, system.register)


@cache
def _application() -> Any:
    from profiles import logs
    from profiles.app import create_app
    from profiles.settings import Settings

    logs.configure()
    return create_app(Settings.load(), extras())


def supervised() -> Any:
    """The application in a worker process of another server than gunicorn: it ends when that server does."""
    from profiles.supervisor import die_with_parent

    die_with_parent()
    return _application()


def __getattr__(name: str) -> Any:
    # Made when a server asks for it: importing this file must not open a database.
    if name == "application":
        return _application()
    raise AttributeError(name)


cli = command_line(
    extras,
    {
        "bench": ("conformance.bench", "Measure speed against its floors, on this machine."),
        "curve": ("conformance.bench.curve", "Measure how answers slow down as the archive grows."),
        "beside": ("conformance.bench.beside", "Measure the imaging side beside Orthanc."),
    },
)
