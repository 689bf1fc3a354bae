"""The MLLP door under attack and under load: frames cut and joined, limits of size, number and time, a graceful stop."""

import random
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import hl7
import pytest
import running
from feed_world import ANNA, BO, FeedWorld, a01, a37, a40, number, opened
from hl7.client import MLLPClient
from running import StartServer

from profiles import mllp
from profiles.addresses import Refused
from profiles.settings import Settings

SB, EB, CR = b"\x0b", b"\x1c", b"\r"


def framed(message: str) -> bytes:
    return SB + message.encode() + EB + CR


class Wire:
    """A peer that sends bytes as it likes."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.buffer = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: Any) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> str:
        """One frame, or the empty text when the connection is closed."""
        while EB + CR not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return ""
            if not data:
                return ""
            self.buffer += data
        frame, _, self.buffer = self.buffer.partition(EB + CR)
        assert frame[:1] == SB
        return frame[1:].decode()

    def is_closed(self) -> bool:
        return self.answer() == ""


def controls(answer: str) -> tuple[str, str]:
    msa = hl7.parse(answer)["MSA"][0]
    return str(msa[1]), str(msa[2])


def test_frames_cut_over_packets(small: FeedWorld) -> None:
    with Wire(small.port) as wire:
        for byte in framed(a01(ANNA)):
            wire.send(bytes([byte]))
        assert controls(wire.answer()) == ("AA", "7")


def test_several_frames_in_one_packet_are_answered_in_order(small: FeedWorld) -> None:
    with Wire(small.port) as wire:
        wire.send(b"".join(framed(a01(ANNA, control=str(n))) for n in range(20)))
        assert [controls(wire.answer()) for _ in range(20)] == [("AA", str(n)) for n in range(20)]
        wire.send(framed(a01(BO, control="last"))[:-1])
        assert controls(wire.answer()) == ("AA", "last")
        wire.send(CR + b"\n" + framed(a01(BO, control="more")))
        assert controls(wire.answer()) == ("AA", "more")


def test_it_is_acknowledged_when_it_is_there(small: FeedWorld) -> None:
    with Wire(small.port) as wire:
        for n in range(5):
            wire.send(framed(a01(f"{n + 1}^^^&1.2.752.129.2.1.3.1&ISO")))
            assert controls(wire.answer())[0] == "AA"
            assert small.rows_of("patient") == small.rows_of("audit") == n + 1


UNFRAMED = {
    "http": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no start": a01(ANNA).encode() + EB + CR,
    "a start inside": SB + a01(ANNA).encode() + SB + a01(BO).encode() + EB + CR,
    "too long": SB + a01(ANNA).encode() + b"ZZZ|" + b"A" * 30_000 + EB + CR,
    "too long without end": SB + a01(ANNA).encode() + b"ZZZ|" + b"A" * 60_000,
    "bytes": bytes(range(128, 256)) * 4,
}


@pytest.mark.parametrize("name", UNFRAMED)
def test_what_is_no_message_is_answered_once_and_the_connection_closed(small: FeedWorld, name: str) -> None:
    with Wire(small.port) as wire:
        wire.send(UNFRAMED[name])
        code, control = controls(wire.answer())
        assert code == "AR"
        assert control == ("7" if name in ("a start inside", "too long", "too long without end") else "")
        assert wire.is_closed()
    assert small.rows_of("patient") == 0
    small.feed(a01(ANNA))


ODD = {
    "nothing": b"",
    "no MSH": b"PID|1\r",
    "MSH alone": b"MSH",
    "MSH and a sign": b"MSH|",
    "letters as delimiters": b"MSHa^~\\&areg\r",
    "repeated delimiters": b"MSH|^^^^|A|B\r",
    "few delimiters": b"MSH|^|A|B\r",
    "no escape": b"MSH|^~|A|B\r",
    "a NUL": b"MSH|\0~\\&|A|B\r",
    "empty fields": b"MSH|^~\\&|||||||||||||||\r",
    "a long header": b"MSH|^~\\&|" + b"A" * 5000 + b"\r",
    "many segments": b"MSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.5\r" + b"Z\r" * 9_900,
    "repetitions": b"MSH|^~\\&|A|B|C|D|||ADT^A01|7|P|2.5\rPID|||" + b"~" * 10_000 + b"\r",
    "a UTF-16": "MSH|^~\\&|A".encode("utf-16"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_messages_are_never_met_with_silence(small: FeedWorld, name: str) -> None:
    with Wire(small.port) as wire:
        wire.send(SB + ODD[name] + EB + CR)
        assert controls(wire.answer())[0] in ("AE", "AR")
        wire.send(framed(a01(ANNA)))
        assert controls(wire.answer())[0] == "AA"


def test_mutated_messages_are_answered(small: FeedWorld) -> None:
    rng = random.Random(7)
    good = a01(ANNA).encode() + b"MRG|1^^^&1.2&ISO\r"
    with Wire(small.port) as wire:
        for _ in range(300):
            bad = bytearray(good)
            for _ in range(rng.randint(1, 5)):
                place = rng.randrange(len(bad))
                match rng.randrange(3):
                    case 0:
                        bad[place] = rng.choice([b for b in range(256) if b not in (11, 28)])
                    case 1:
                        del bad[place : place + rng.randrange(20)]
                    case 2:
                        bad[place:place] = bad[: rng.randrange(40)]
            wire.send(SB + bytes(bad) + EB + CR)
            answer = wire.answer()
            assert controls(answer)[0] in ("AA", "AE", "AR")
            assert "internal error, logged" not in answer.lower()


def test_a_slow_peer_is_let_go_and_others_are_served(small: FeedWorld) -> None:
    with Wire(small.port) as slow, Wire(small.port) as idle:
        slow.send(SB + a01(ANNA).encode()[:60])
        began = time.monotonic()
        small.feed(a01(BO))
        assert controls(slow.answer())[0] == "AR"
        assert 0.5 < time.monotonic() - began < 8
        assert slow.is_closed()
        idle.send(framed(a01(ANNA)))
        assert controls(idle.answer())[0] == "AA"
        assert idle.is_closed()  # idle_seconds later


def test_a_peer_gets_so_many_connections(small: FeedWorld) -> None:
    wires = [Wire(small.port) for _ in range(4)]
    for wire in wires:
        wire.send(framed(a01(ANNA)))
        assert controls(wire.answer())[0] == "AA"
    with Wire(small.port) as fifth:
        assert fifth.is_closed()
    wires.pop().socket.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with Wire(small.port) as again:
            try:
                again.send(framed(a01(BO)))
                if again.answer():
                    break
            except OSError:
                continue
    else:
        pytest.fail("the place that became free was not given again")
    for wire in wires:
        wire.socket.close()


def test_a_peer_that_leaves_in_the_middle_leaves_nothing(small: FeedWorld) -> None:
    for end in (10, 60, -3):
        with Wire(small.port) as wire:
            wire.send(framed(a01(ANNA))[:end])
    small.feed(a01(BO))
    assert [value for (value,) in small.sql("SELECT value FROM patient")] == [number(BO)]


def test_peers_at_once(world: FeedWorld) -> None:
    """Crossing merges and additions of the same patients from several peers: every one is answered, none is halved."""
    codes: list[str] = []

    def converse(turn: int) -> None:
        with MLLPClient("127.0.0.1", world.port) as client:
            for n in range(8):
                one, other = (ANNA, BO) if (turn + n) % 2 else (BO, ANNA)
                for message in (a01(one), a40(one, other), a37(one, other)):
                    codes.append(controls(client.send_message(message).decode().strip("\x0b\x1c\r"))[0])

    threads = [threading.Thread(target=converse, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(codes) == 4 * 8 * 3
    assert set(codes) <= {"AA", "AE"}
    links = dict(world.sql("SELECT subsumed, survivor FROM patient_link WHERE undone IS NULL"))
    ends = dict(world.sql("SELECT patient_id, survivor FROM patient WHERE survivor <> patient_id"))
    assert links == ends
    assert len(links) <= 1


# --- as a part of the server ---


def address(printed: str) -> tuple[str, int]:
    text = printed.split("mllp://")[1].split()[0]
    host, _, port = text.rpartition(":")
    return host, int(port)


def test_serve_speaks_hl7_and_stops_in_good_order(server: StartServer) -> None:
    started = server("--mllp", "127.0.0.1:0")
    host, port = address(started.printed)
    with MLLPClient(host, port) as client:
        assert b"MSA|AA|7" in client.send_message(a01(ANNA))
        assert started.stop() == 0
        assert select.select([client.socket], [], [], 10)[0]
        assert client.socket.recv(10) == b""


def test_the_part_alone(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*running.XDSI, "serve", "mllp", "--data", str(tmp_path / "data"), "--mllp", "127.0.0.1:0"],
        cwd=running.ROOT,
        env=running.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        host, port = address(process.stdout.readline())
        with MLLPClient(host, port) as client:
            assert b"MSA|AA|7" in client.send_message(a01(ANNA))
    finally:
        process.terminate()
        assert process.wait(running.STOPS_WITHIN) == 0


def test_the_part_alone_must_be_told_where_to_listen(tmp_path: Path) -> None:
    done = running.run_xdsi("serve", "mllp", "--data", str(tmp_path / "data"))
    assert done.returncode == 2
    assert "--mllp HOST:PORT" in done.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mllp": "0.0.0.0:2575"}, "no authentication"),
        ({"mllp": "2575"}, "not an address"),
        ({"mllp": "0.0.0.0:2575", "hl7v2": {"certificate": "a", "key": "b"}}, "no authentication"),
        ({"mllp": "127.0.0.1:0", "hl7v2": {"certificate": "a"}}, "`certificate` and `key`"),
        ({"mllp": "127.0.0.1:0", "hl7v2": {"client_ca": "a"}}, "`certificate` and `key`"),
    ],
)
def test_it_says_why_it_does_not_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=said):
        mllp.address_of(Settings.load(**settings))


def test_a_certificate_that_is_not_there_is_named_before_anything_listens() -> None:
    with pytest.raises(Refused, match="cannot be used"):
        mllp.tls_of(Settings.load(hl7v2={"certificate": "/none", "key": "/none"}))


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    files = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", f"/CN={name}", "-days", "1", "-out", str(files[0]), "-keyout", str(files[1])]
    subprocess.run(command, check=True, capture_output=True)
    return files


def heard(context: ssl.SSLContext, port: int, data: bytes) -> bytes:
    """The answer over TLS; empty when there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as plain, context.wrap_socket(plain) as peer:
            peer.sendall(data)
            return peer.recv(1000)
    except OSError:
        return b""


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates with")
def test_with_tls_only_certified_peers_are_heard(sqlite: str, tmp_path: Path) -> None:
    ours, key = certificate(tmp_path, "registry")
    theirs, their_key = certificate(tmp_path, "ris")
    tls = {"certificate": ours, "key": key, "client_ca": theirs, "senders": {"NORTH": ["CN=ris"]}}
    with opened(sqlite, tmp_path, hl7v2=tls) as world:
        context = ssl.create_default_context(cafile=str(ours))
        context.check_hostname = False
        assert heard(context, world.port, framed(a01(ANNA))) == b"", "a peer without certificate was heard"
        context.load_cert_chain(theirs, their_key)
        assert b"MSA|AA|7" in heard(context, world.port, framed(a01(ANNA)))
        assert b"MSA|AR|7" in heard(context, world.port, framed(a01(BO).replace("NORTH", "SOUTH")))
        assert "ris" in world.sql("SELECT record FROM audit")[0][0]
