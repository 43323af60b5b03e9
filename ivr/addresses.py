"""Addresses of machines, as settings may name them."""

from __future__ import annotations

import ipaddress
import socket


def one_address(host: str) -> str:
    """`host`, which is connected to. Raises ValueError for one that stands for every address, however it is written."""
    if host == "*":
        raise ValueError("is no address; write one, such as 127.0.0.1")
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return host
    numbers = [ipaddress.ip_address(address[0]) for *_, address in found]
    if any((getattr(each, "ipv4_mapped", None) or each).is_unspecified for each in numbers):
        raise ValueError("stands for every address, and one is needed to connect to, such as 127.0.0.1")
    return host
