"""What keeps answers prompt, where a time cannot be asserted."""

from __future__ import annotations

import socket

from ivcap_client._local.listening import bind


def test_small_answers_of_the_local_platform_do_not_wait_for_an_acknowledgement() -> None:
    (listening,) = bind("127.0.0.1", 0)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
