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
    yield b"ANSWER\n"
    yield f'STREAM FILE "{menu}" "0123456789*#" 0\n'.encode()
    yield f'STREAM FILE "{more}" "0123456789*#" 0\n'.encode()
    yield b'SET VARIABLE "IVR_DONE" "1"\n'


def serve(port: int, menu: str, more: str) -> None:
    """Serve calls until the process is ended; prints a line when it listens."""
    selector = selectors.DefaultSelector()
    calls: dict[socket.socket, Iterator[bytes]] = {}
    with socket.create_server(("127.0.0.1", port), backlog=128) as listener:
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ)
        print("listening", flush=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    selector.register(connection, selectors.EVENT_READ)
                    continue
                assert isinstance(key.fileobj, socket.socket)
                connection = key.fileobj
                data = connection.recv(8192)
                call = calls.get(connection)
                if call is None and data.endswith(b"\n\n"):
                    call = calls[connection] = commands(menu, more)
                line = next(call, b"") if call is not None and data else b""
                if line:
                    connection.sendall(line)
                elif call is not None or not data:
                    selector.unregister(connection)
                    connection.close()
                    calls.pop(connection, None)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.argv[3])
