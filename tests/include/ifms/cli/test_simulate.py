"""`ifms simulate`: what becomes of a port that somebody else has (the serving itself: tests/include/ifms_simulator)."""

import socket


def test_a_port_in_use_is_one_sentence(refused, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused("simulate", "treasury", "--state", str(tmp_path / "state.sqlite3"), "--port", port)
    assert "in use" in said
