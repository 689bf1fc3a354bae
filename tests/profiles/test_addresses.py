import socket

import pytest

from profiles import addresses
from profiles.addresses import Address, Refused, at_home, listen


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "127.9.9.9:1", "localhost:80", "[::1]:8080"])
def test_loopback_is_home(text: str) -> None:
    assert str(at_home(text)) == text


@pytest.mark.parametrize(
    "text", ["0.0.0.0:8080", "192.0.2.7:80", "[::]:8080", "xds.example.org:80", "127.0.0.1.example.org:1"]
)
def test_elsewhere_is_refused_with_address_reason_and_remedy(text: str) -> None:
    with pytest.raises(Refused) as refused:
        at_home(text)
    said = str(refused.value)
    assert text in said
    assert "no authentication" in said
    assert f"127.0.0.1:{text.rpartition(':')[2]}" in said


@pytest.mark.parametrize(
    "text", ["8080", "localhost", ":8080", "localhost:", "localhost:65536", "localhost:-1", "localhost:８０"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Refused, match=r"HOST:PORT"):
        Address.parse(text)


def test_a_port_that_another_process_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "TAKEN_FOR", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"127.0.0.1:{port}"):
            listen(Address("127.0.0.1", port))
