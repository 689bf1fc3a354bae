"""Who may associate, and what attacks on the gate cost: nothing to those who come properly."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from dimse_archive import Archive
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import Verification

from profiles.addresses import Refused
from profiles.composition import compose
from profiles.dimse import Actors
from profiles.dimse_access import Peers, address_of, outward, tls_of
from profiles.faces.dimse_association import Acceptors
from profiles.faces.dimse_gate import Gate, Limits
from profiles.faces.dimse_retrieve import Sender
from profiles.faces.dimse_serving import Serving
from profiles.faces.dimse_socket import Bounds
from profiles.settings import Settings

# --- who may associate ---


@pytest.mark.parametrize(
    ("calling", "called", "reason"),
    [
        ("MODALITY", "OPENXDSI", None),
        ("MODALITY", "ANOTHER", 7),
        ("NOBODY", "OPENXDSI", 3),
        ("ELSEWHERE", "OPENXDSI", 3),
        ("OTHERNAME", "OPENXDSI", 7),
        ("OTHERNAME", "ARCHIVE2", None),
    ],
)
def test_title_address_and_called_title_must_agree(
    archive: Archive, calling: str, called: str, reason: int | None
) -> None:
    why: list[int] = []
    # This client now and then takes a rejection for an abort, whoever sends it.
    for _ in range(5):
        assoc = AE(calling).associate(
            "127.0.0.1",
            archive.port,
            contexts=[build_context(Verification)],
            ae_title=called,
            evt_handlers=[(evt.EVT_ACSE_RECV, lambda event: why.append(getattr(event.primitive, "diagnostic", None)))],
        )
        assert assoc.is_established == (reason is None)
        if why or reason is None:
            break
    if reason is None:
        assert assoc.send_c_echo().Status == 0
        assoc.release()
    else:
        assert why == [reason]


# --- the gate ---


def memory(process: int) -> int:
    """Resident bytes of the largest of the server's processes."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return max(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in children)


def request(called: bytes = b"OPENXDSI", calling: bytes = b"MODALITY") -> bytes:
    """An A-ASSOCIATE-RQ for verification."""

    def item(kind: int, content: bytes) -> bytes:
        return bytes((kind, 0)) + len(content).to_bytes(2) + content

    context = bytes((1, 0, 0, 0)) + item(0x30, b"1.2.840.10008.1.1") + item(0x40, b"1.2.840.10008.1.2")
    user = item(0x51, (16384).to_bytes(4)) + item(0x52, b"1.2.3.4")
    body = b"\0\1\0\0" + called.ljust(16) + calling.ljust(16) + bytes(32)
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + item(0x20, context) + item(0x50, user)
    return b"\1\0" + len(body).to_bytes(4) + body


def is_cut(connection: socket.socket, flood: int) -> bool:
    """Whether the peer closes before `flood` bytes are taken from us."""
    connection.settimeout(5)
    try:
        for _ in range(flood // 65536):
            connection.sendall(bytes(65536))
        return connection.recv(1) == b""
    except OSError:
        return True


ATTACKS: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "a request of 4 GiB": lambda: (b"", b"\1\0\xff\xff\xff\xff"),
    "a type that is none": lambda: (b"", b"\x47\x45\x54\x20\0\0"),
    "data before an association": lambda: (b"", b"\4\0\0\0\0\x40"),
    "data of 4 GiB": lambda: (request(), b"\4\0\xff\xff\xff\xff"),
    "data longer than agreed": lambda: (request(), b"\4\0\0\2\0\1"),
    "an unknown type": lambda: (request(), b"\x09\0\0\0\0\4"),
    "a value longer than its PDU": lambda: (request(), b"\4\0\0\0\0\x08\0\0\xff\xff\1\3ab"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_pdu_that_can_be_none_ends_the_connection(archive: Archive, name: str) -> None:
    before_it, attack = ATTACKS[name]()
    before = memory(archive.server.process.pid)
    with socket.create_connection(("127.0.0.1", archive.port)) as connection:
        if before_it:
            connection.sendall(before_it)
            connection.settimeout(5)
            header = connection.recv(6, socket.MSG_WAITALL)
            assert header[0] == 2
            connection.recv(int.from_bytes(header[2:]), socket.MSG_WAITALL)
        connection.sendall(attack)
        if "value" in name:
            connection.settimeout(5)
            assert connection.recv(16)[:1] in (b"\7", b"")
        else:
            assert is_cut(connection, 64 << 20)
    assert memory(archive.server.process.pid) < before + (8 << 20)


def test_five_hundred_silent_connections_keep_nobody_out(archive: Archive) -> None:
    with ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(socket.create_connection(("127.0.0.1", archive.port)))
        times = []
        for _ in range(3):
            begun = time.monotonic()
            with archive.association(build_context(Verification)) as assoc:
                assert assoc.send_c_echo().Status == 0
            times.append(time.monotonic() - begun)
    assert min(times) < 1.0


# --- TLS ---


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    files = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={name}", "-days", "1", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(command, check=True, capture_output=True)
    return files


@contextmanager
def in_this_process(settings: Settings) -> Iterator[int]:
    """The port of a DICOM side."""
    actors, stop = Actors(compose(settings)), threading.Event()
    serving = Serving(actors, Sender(outward(settings)))
    acceptors = Acceptors(settings.ae_title, Bounds(131072, 10.0), actors.sop_classes, serving.serve)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gate = Gate(listener, Peers(settings).judge, acceptors.admit, Limits(), tls_of(settings))
        thread = threading.Thread(target=gate.run, args=(stop,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()
            acceptors.stop(5.0)
            assert gate.active() == 0


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates with")
def test_with_tls_the_certificate_of_the_row_lets_in_and_no_other(sqlite: str, tmp_path: Path) -> None:
    (ours, key), (theirs, their_key) = (certificate(tmp_path, name) for name in ("archive", "modality"))
    rows = {name.upper(): {"certificates": [name]} for name in ("modality", "other")}
    tls = {"certificate": ours, "key": key, "client_ca": theirs, "peers": rows}
    settings = Settings.load(data=tmp_path, database_url=sqlite, dicom="127.0.0.1:0", dimse=tls)
    nobody, modality = (ssl.create_default_context(cafile=str(ours)) for _ in range(2))
    nobody.check_hostname = modality.check_hostname = False
    modality.load_cert_chain(theirs, their_key)
    with in_this_process(settings) as port:
        for title, context, welcome in (
            ("MODALITY", modality, True),
            ("OTHER", modality, False),
            ("MODALITY", nobody, False),
            ("MODALITY", None, False),
        ):
            entity = AE(title)
            entity.acse_timeout = 5
            proposed = [build_context(Verification)]
            tls_args = (context, "archive") if context else None
            assoc = entity.associate("127.0.0.1", port, proposed, ae_title="OPENXDSI", tls_args=tls_args)
            assert assoc.is_established == welcome
            if welcome:
                assert assoc.send_c_echo().Status == 0
                assoc.release()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"dicom": "0.0.0.0:11112"}, "other machines"),
        ({"dimse": {"client_ca": "a"}}, "`certificate` and `key`"),
        ({"dimse": {"peers": {"PACS": {}}}}, "no login"),
        ({"dimse": {"peers": {"PACS": {"certificates": ["pacs"]}}}}, "no login"),
    ],
)
def test_settings_that_let_anybody_in_are_refused(wrong: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=said):
        address_of(Settings.load(data=tmp_path, **{"dicom": "127.0.0.1:0"} | wrong))
