"""Tell systemd what the service does (sd_notify): ready, alive, stopping. Without systemd nothing happens."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping


class Systemd:
    """Where NOTIFY_SOCKET leads. The variable is taken away, for Asterisk would speak for us."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def tell(self, **fields: str | int) -> None:
        """Send fields such as READY=1. A systemd that does not listen is no trouble of ours."""
        if not self._address:
            return
        message = "\n".join(f"{name}={value}" for name, value in fields.items())
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), self._address)
