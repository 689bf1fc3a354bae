"""A real `xdsi serve`: it starts, says where it is, stops, dies and comes back."""

import signal
import socket
import subprocess
from pathlib import Path

import requests
import running
from running import StartServer


def peers_of(process: "subprocess.Popen[str]") -> list[int]:
    """Pids of all descendants."""
    found: list[int] = []
    for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        found.append(int(pid))
        found += [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found


def test_it_prints_where_it_is_and_the_commands_work(server: StartServer) -> None:
    started = server("--dicom", "127.0.0.1:0")
    assert started.printed.count("curl ") == 3
    for line in started.printed.splitlines():
        if "curl " in line:
            done = subprocess.run(["sh", "-c", f"{line.strip()} -s -f"], capture_output=True, timeout=20)
            assert done.returncode == 0, line
    for oid in ("1.2.752.129.2.9.1", "1.2.752.129.2.9.2", "1.2.752.129.2.9.3"):
        assert oid in started.printed
    assert "OPENXDSI@127.0.0.1:" in started.printed
    assert requests.get(f"{started.base_url}/health/ready", timeout=10).json()["status"] == "ready"
    assert started.data.stat().st_mode & 0o077 == 0


def test_it_starts_on_postgresql(server: StartServer, postgresql: str) -> None:
    started = server(XDSI_DATABASE_URL=postgresql.replace("+psycopg", ""))
    assert requests.get(f"{started.base_url}/health/ready", timeout=10).ok
    assert not (started.data / "registry.sqlite").exists()


def test_sigterm_ends_it_in_good_order(server: StartServer) -> None:
    started = server()
    children = peers_of(started.process)
    assert len(children) >= 3
    assert started.stop() == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_after_kill_9_the_port_is_free_at_once_and_the_data_is_there(server: StartServer) -> None:
    first = server()
    port = first.base_url.rpartition(":")[2]
    with requests.Session() as session:
        # A connection that is open when the server dies must not keep its successor from the port.
        assert session.get(f"{first.base_url}/health/live", timeout=10).ok
        first.process.kill()
        first.process.wait(10)
        second = running.start(first.data, web=f"127.0.0.1:{port}")
        try:
            assert requests.get(f"{second.base_url}/health/ready", timeout=10).ok
        finally:
            second.stop()


def test_a_worker_process_that_dies_is_replaced(server: StartServer) -> None:
    started = server()
    for pid in peers_of(started.process):
        if pid not in (started.process.pid,):
            subprocess.run(["kill", "-9", str(pid)], check=False)
    # The socket is the supervisor's, so the request waits for the new web server instead of being refused.
    assert requests.get(f"{started.base_url}/health/live", timeout=30).ok
    assert started.process.poll() is None


def test_a_database_that_cannot_be_reached_is_said_in_words(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://somebody:secret@127.0.0.1:{unused.getsockname()[1]}/none"
        done = running.run_xdsi(
            "serve", "--data", str(tmp_path / "data"), "--web", "127.0.0.1:0", XDSI_DATABASE_URL=url
        )
    assert done.returncode == 1
    assert "database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_hup_and_int_end_it_too(server: StartServer) -> None:
    started = server()
    started.process.send_signal(signal.SIGINT)
    assert started.process.wait(running.STOPS_WITHIN) == 0


def test_logs_hold_no_query(server: StartServer) -> None:
    started = server()
    requests.get(f"{started.base_url}/fhir/Patient", params={"identifier": "urn:oid:1.2.3|191212121212"}, timeout=10)
    with socket.create_connection(("127.0.0.1", int(started.base_url.rpartition(":")[2]))) as raw:
        raw.sendall(b"GET /191212121212 with spaces HTTP/1.1\r\n\r\n")
        raw.recv(1000)
    started.stop()
    assert "191212121212" not in started.log.read_text()
