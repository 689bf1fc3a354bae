"""A real S3 server for tests: a gateway whose buckets are folders, so that a test can look behind it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

VERSION = "v1.8.0"  # as in install_s3_server.sh
STARTS_WITHIN = 20.0
BUCKET = "archive"
KEY, SECRET = "tester", "tester-secret"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}


@dataclass
class S3Server:
    """`folder` holds a folder for each bucket."""

    endpoint: str
    folder: Path
    process: "subprocess.Popen[bytes]"

    def url(self, prefix: str, bucket: str = BUCKET, **more: str) -> str:
        extra = "".join(f"&{name}={value}" for name, value in more.items())
        return f"s3://{bucket}/{prefix}?endpoint={self.endpoint}{extra}"

    def client(self):
        import boto3
        from botocore.client import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def behind(self, prefix: str) -> Path:
        return self.folder / BUCKET / prefix


def program() -> Path:
    """The server's program, or the end of the test with the reason."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    path = Path(os.environ.get("XDSI_TEST_S3_SERVER", cache / "openxdsi" / f"versitygw-{VERSION}" / "versitygw"))
    if not path.exists():
        if os.environ.get("XDSI_REQUIRE_S3") == "1":
            pytest.fail("an S3 server is required: tests/install_s3_server.sh builds it")
        pytest.skip("no S3 server: tests/install_s3_server.sh builds it")
    return path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """A server on `folder`, with one bucket."""
    pytest.importorskip("boto3", reason="no boto3: install openxdsi[s3]")
    port = free_port()
    (folder / BUCKET).mkdir(parents=True)
    process = subprocess.Popen(
        # Keep-alive, as the servers of a region have it.
        [program(), "--port", f"127.0.0.1:{port}", "--quiet", "--keep-alive", "--access", KEY, "--secret", SECRET, "posix", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    server = S3Server(f"http://127.0.0.1:{port}", folder, process)
    try:
        _wait(server)
        yield server
    finally:
        process.kill()
        process.wait()


def _wait(server: S3Server) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    client, until = server.client(), time.monotonic() + STARTS_WITHIN
    while True:
        try:
            client.head_bucket(Bucket=BUCKET)
            return
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > until or server.process.poll() is not None:
                raise AssertionError(f"the S3 server did not start: {error}") from error
            time.sleep(0.05)
