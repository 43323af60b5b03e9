"""Which ports an Asterisk needs, and whether they are free."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import dataclass

from faults import Fault, MachineError


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What must be free before the start: (name of the setting, address, port)."""

    tcp: tuple[tuple[str, str, int], ...] = ()
    udp: tuple[tuple[str, str, int], ...] = ()


def check_ports(ports: Ports) -> None:
    """Raise MachineError with a fault for each port that is taken or can't be bound."""
    faults = [
        Fault(
            what=f"{kind_name} port {port} on {address} can't be used: {reason}.",
            where=setting,
            mend=f"End the program that holds it (ss -lp | grep {port}), or choose another port in ivr.toml."
            if reason == os.strerror(errno.EADDRINUSE)
            else "Choose an address of this machine (ip address) and a port that its user may open.",
        )
        for kind, kind_name, wanted in ((socket.SOCK_STREAM, "TCP", ports.tcp), (socket.SOCK_DGRAM, "UDP", ports.udp))
        for setting, address, port in wanted
        if (reason := _bind_failure(kind, address, port))
    ]
    if faults:
        raise MachineError(faults)


def _bind_failure(kind: socket.SocketKind, address: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            # A connection in TIME_WAIT from the last run is no obstacle.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""
