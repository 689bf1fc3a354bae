"""`xdsi serve`: prepare the stores, listen, and keep the web server and the worker running.

The socket is bound here, before anything is forked: a port that is taken is said at once, and a web server that has to
be started again finds its callers still waiting in the queue. Migrations and the demonstration region run in a child of
their own, so that no database connection is ever carried across a fork.
"""

import http.client
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask
from gunicorn.app.base import BaseApplication
from sqlalchemy.exc import OperationalError

from database.migrate import NewerSchema, upgrade
from profiles import announce, dimse, dimse_access, logs, memory, mllp, supervisor, worker
from profiles.addresses import Address, Refused, at_home, listen
from profiles.app import create_app
from profiles.settings import Settings
from profiles.supervisor import Part, Supervisor

Extra = Callable[[Flask, Any], None]
PARTS = ("all", "web", "worker", "mllp", "dimse")
GRACE = 25  # seconds for requests under way when the server is asked to stop
# Seconds that a thread waits for the interpreter before it asks for it. A unit of work gives it up at each row and
# takes it again; with Python's 5 ms it would hold the database's writers up for as long as another thread parses.
SWITCH_INTERVAL = 0.001
LONGEST_REQUEST_LINE = 8190  # bytes; FHIR searches are long
GRANIAN_TARGET = "wsgi:supervised"


class Sockets(NamedTuple):
    """Where the parts listen; None for one that does not run."""

    web: socket.socket | None
    mllp: socket.socket | None
    dimse: socket.socket | None


class WebServer(BaseApplication):  # type: ignore[misc]
    """gunicorn on a socket that is bound already; each of its processes makes its own application after the fork."""

    def __init__(self, settings: Settings, listener: socket.socket, extras: Sequence[Extra]) -> None:
        self._settings = settings
        self._listener = listener
        self._extras = extras
        super().__init__()

    def load_config(self) -> None:
        """The settings, in gunicorn's terms."""
        options = {
            "bind": [f"fd://{self._listener.fileno()}"],
            "worker_class": "gthread",
            "workers": self._settings.web.workers,
            "threads": self._settings.web.threads,
            "graceful_timeout": GRACE,
            "limit_request_line": LONGEST_REQUEST_LINE,
            "logger_class": logs.ServerLogger,
            "proc_name": "xdsi",
            "post_fork": lambda _server, process: supervisor.die_with_parent(process.ppid),
            # Its heartbeat file must not wait for a disk that uploads keep busy.
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
            "control_socket_disable": True,
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application of one process."""
        memory.keep()
        sys.setswitchinterval(SWITCH_INTERVAL)
        return create_app(self._settings, self._extras)


def _run_granian(settings: Settings) -> None:
    """granian binds for itself and imports its application by name, so it reads the settings from the environment."""
    from granian import Granian

    address = Address.parse(settings.web.address)
    os.environ |= {"XDSI_DATA": str(settings.data), "XDSI_WEB__ADDRESS": str(address)}
    os.environ["XDSI_TRACE__ENABLED"] = str(bool(settings.trace.enabled))
    Granian(
        GRANIAN_TARGET,
        factory=True,
        address=address.host,
        port=address.port,
        interface="wsgi",
        workers=settings.web.workers,
        blocking_threads=settings.web.threads,
        backlog=128,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE,
        log_enabled=False,
    ).serve()


def serve(settings: Settings, *, part: str = "all", with_demo: bool = False, extras: Sequence[Extra] = ()) -> int:
    """Run `part` (one of `PARTS`) until SIGTERM; the exit status.

    Raises:
        Refused: the settings ask for what this release does not do, or the address cannot be had.
    """
    listener, feed, images = None, None, None
    if with_demo and settings.trace.enabled is None:
        settings = settings.model_copy(update={"trace": settings.trace.model_copy(update={"enabled": True})})
    if part in ("all", "mllp"):
        feed, settings = _feed(settings, required=part == "mllp")
    if part in ("all", "dimse"):
        images, settings = _images(settings, required=part == "dimse", usual=with_demo)
    if part in ("all", "web"):
        _require_server(settings)
        listener = listen(at_home(settings.web.address))
        settings = _with_address(settings, listener)
        if settings.web.server == "granian":
            listener.close()
    if status := supervisor.run_once(lambda: _prepare(settings, with_demo)):
        return status
    return Supervisor(
        _parts(settings, part, Sockets(listener, feed, images), extras),
        is_ready=lambda: listener is None or _answers(settings),
        announce=lambda: announce.ready(settings, part, with_demo),
        close=lambda: _close(listener, feed, images),
    ).run()


def _feed(settings: Settings, *, required: bool) -> tuple[socket.socket | None, Settings]:
    """The socket of the HL7 v2 side, unless that is off, and the settings with the port that was really given."""
    address = mllp.address_of(settings)
    if address is None:
        if required:
            raise Refused("where to listen must be said: --mllp HOST:PORT")
        return None, settings
    mllp.tls_of(settings)
    feed = listen(address)
    bound = Address(address.host, feed.getsockname()[1])
    return feed, settings.model_copy(update={"mllp": str(bound)})


def _images(settings: Settings, *, required: bool, usual: bool) -> tuple[socket.socket | None, Settings]:
    """The same of the DICOM side; where nothing is said and `usual`, its usual address, unless another has it."""
    if usual and "dicom" not in settings.model_fields_set and _is_free(Address.parse(dimse_access.USUAL)):
        settings = settings.model_copy(update={"dicom": dimse_access.USUAL})
    address = dimse_access.address_of(settings)
    if address is None:
        if required:
            raise Refused("where to listen must be said: --dicom HOST:PORT")
        return None, settings
    dimse_access.tls_of(settings)
    images = listen(address)
    bound = Address(address.host, images.getsockname()[1])
    return images, settings.model_copy(update={"dicom": str(bound)})


def _is_free(address: Address) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError:
            return False
    return True


def _close(*listeners: socket.socket | None) -> None:
    for each in listeners:
        if each is not None:
            each.close()


def _parts(
    settings: Settings,
    part: str,
    sockets: Sockets,
    extras: Sequence[Extra],
) -> list[Part]:
    parts = []
    listener, feed, images = sockets
    if listener is not None:
        with_gunicorn = settings.web.server == "gunicorn"
        run = WebServer(settings, listener, extras).run if with_gunicorn else lambda: _run_granian(settings)
        parts.append(Part("web", lambda: _run_alone(sockets, listener, run)))
    if feed is not None:
        parts.append(Part("mllp", lambda: _run_alone(sockets, feed, lambda: mllp.run(settings, feed))))
    if images is not None:
        parts.append(Part("dimse", lambda: _run_alone(sockets, images, lambda: dimse.run(settings, images))))
    if part in ("all", "worker"):
        parts.append(Part("worker", lambda: _run_alone(sockets, listener, lambda: worker.run(settings, listener))))
    return parts


def _run_alone(sockets: Sockets, kept: socket.socket | None, run: Callable[[], None]) -> None:
    """Run a part without the sockets of the others."""
    _close(*(each for each in sockets if each is not kept))
    run()


def _prepare(settings: Settings, with_demo: bool) -> None:
    try:
        upgrade(settings.database)
    except NewerSchema as error:
        raise SystemExit(f"This release cannot use this database: {error}.") from error
    except OperationalError as error:
        raise SystemExit(f"The database cannot be used: {error.orig}") from error
    if with_demo:
        # What draws reports and pictures takes a third of a second to import.
        from profiles import demo

        demo.load(settings)


def _with_address(settings: Settings, listener: socket.socket) -> Settings:
    """The settings with the port that was really given: port 0 asks for any."""
    bound = Address(at_home(settings.web.address).host, listener.getsockname()[1])
    return settings.model_copy(update={"web": settings.web.model_copy(update={"address": str(bound)})})


def _require_server(settings: Settings) -> None:
    if settings.web.server == "granian":
        try:
            import granian  # noqa: F401
        except ImportError as error:
            raise Refused("granian is not installed: pip install 'openxdsi[granian]', or --server gunicorn") from error


def _answers(settings: Settings) -> bool:
    """Whether the web server says that it is ready."""
    address = Address.parse(settings.web.address)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=1.0)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
