"""What the doctor says of the way to feeds' servers."""

import socket

import pytest
from pydantic import SecretStr

from pipeline.cli.doctor import OWN
from pipeline.settings import Settings

CHECK = OWN["feeds' servers"]


def test_the_way_to_feeds_and_who_checks_addresses() -> None:
    assert "checked after DNS" in CHECK(Settings(proxy=None))
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        port = proxy.getsockname()[1]
        settings = Settings(proxy=SecretStr(f"http://me:topsecret@127.0.0.1:{port}"))
        said = CHECK(settings)
    assert "trusted not to lead inside" in said
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{port} cannot be reached.*RACEWIRE_PROXY") as away:
        CHECK(settings)
    assert "topsecret" not in said + str(away.value)
