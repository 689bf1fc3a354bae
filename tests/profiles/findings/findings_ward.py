"""A whole server that listens, and a terminal beside it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from click.testing import CliRunner, Result
from dicomweb_client.api import DICOMwebClient
from examination import STOW, multipart
from werkzeug.serving import WSGIRequestHandler, make_server

from profiles import commands
from profiles.app import create_app
from profiles.house import House
from profiles.settings import Settings

CLI = commands.command_line(lambda: (), {})


class QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        pass


@dataclass
class Ward:
    """`url` is where the server listens, `client` a DICOMweb client of other hands, `xdsi` the command."""

    url: str
    client: DICOMwebClient
    house: House
    config: Path

    def xdsi(self, *arguments: str) -> Result:
        name, *rest = arguments
        return CliRunner().invoke(CLI, [name, "--config", str(self.config), *rest])

    def done(self, *arguments: str) -> str:
        result = self.xdsi(*arguments)
        assert result.exit_code == 0, result.output
        return str(result.output)

    def send(self, *objects: bytes) -> requests.Response:
        return requests.post(f"{self.url}/dicomweb/studies", data=multipart(*objects), headers=STOW, timeout=10)

    def kept(self, *objects: bytes) -> None:
        answer = self.send(*objects)
        assert answer.status_code == 200, answer.text

    def publish(self) -> None:
        while self.house.imaging.publisher.work_once():
            pass

    def get(self, path: str, **query: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", params=query, timeout=10)


@contextmanager
def running_ward(config: Path) -> Iterator[Ward]:
    """The server of these settings."""
    houses: list[House] = []
    app = create_app(Settings.load(config), [lambda _, house: houses.append(house)])
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield Ward(url, DICOMwebClient(f"{url}/dicomweb"), houses[0], config)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
