"""The least that can serve a FastAGI call in Python: a socket loop that sends one call's commands and reads replies.

It keeps nothing and checks nothing; what the engine costs beyond it is what the engine does for caller and report.

    python -m tests.bench.bare_loop PORT MENU MORE
"""

from __future__ import annotations

import selectors
import socket
import sys
from collections.abc import Iterator


def commands(menu: str, more: str) -> Iterator[bytes]:
    """The commands of one call, in order; each is answered with one line."""
    yield f'STREAM FILE "{menu}" "0123456789*#" 0\n'.encode()
    yield f'STREAM FILE "{more}" "0123456789*#" 0\n'.encode()
    yield b'SET VARIABLE "IVR_DONE" "1"\n'


def serve(port: int, menu: str, more: str) -> None:
    """Serve calls until the process is ended; prints a line when it listens."""
    selector = selectors.DefaultSelector()
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ)
        print("listening", flush=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    selector.register(connection, selectors.EVENT_READ, Call(menu, more))
                    continue
                assert isinstance(key.fileobj, socket.socket)
                connection, call = key.fileobj, key.data
                data = connection.recv(8192)
                if line := call.answer(data) if data else b"":
                    connection.sendall(line)
                elif call.begun or not data:
                    selector.unregister(connection)
                    connection.close()


class Call:
    """One call: its headers until they are complete, then a command for every piece that comes."""

    def __init__(self, menu: str, more: str) -> None:
        self._commands = commands(menu, more)
        self._head = b""
        self.begun = False

    def answer(self, data: bytes) -> bytes:
        """The next command; nothing when there is none, or the headers are not complete."""
        if not self.begun:
            self._head += data
            self.begun = self._head.endswith(b"\n\n")
            if not self.begun:
                return b""
        return next(self._commands, b"")


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
