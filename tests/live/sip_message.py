"""SIP messages: bytes to fields and back. Knows no socket and no call."""

from __future__ import annotations

import re
from dataclasses import dataclass

REASONS = {
    100: "Trying", 180: "Ringing", 200: "OK", 404: "Not Found", 480: "Temporarily Unavailable", 481: "No Such Call",
    486: "Busy Here", 487: "Request Terminated", 503: "Service Unavailable", 603: "Decline",
}  # fmt: skip
_LONG_NAMES = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}


@dataclass(frozen=True)
class Message:
    """A SIP request or response."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Message:
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        fields = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return cls(start, tuple((_LONG_NAMES.get(name, name), value) for name, value in fields), body)

    def encode(self) -> bytes:
        lines = [self.start, *(f"{name.title()}: {value}" for name, value in self.headers)]
        body = self.body.encode()
        kind = ["Content-Type: application/sdp"] if body else []
        return "\r\n".join([*lines, *kind, f"Content-Length: {len(body)}", "", ""]).encode() + body

    def all(self, name: str) -> list[str]:
        return [value for n, value in self.headers if n == name]

    def __getitem__(self, name: str) -> str:
        return next(iter(self.all(name)), "")

    @property
    def method(self) -> str:
        """The method of a request; of a response, that of its CSeq."""
        return self["cseq"].split()[-1] if self.start.startswith("SIP/") else self.start.split()[0]

    @property
    def status(self) -> int:
        """0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/") else 0


def parameter(value: str, name: str) -> str:
    found = re.search(rf";\s*{name}=([^;\s>]+)", value)
    return found[1] if found else ""


def uri(value: str) -> str:
    found = re.search(r"<([^>]+)>", value)
    return found[1] if found else value.partition(";")[0].strip()


def user(value: str) -> str:
    found = re.match(r"sips?:([^@;]+)@", uri(value))
    return found[1] if found else ""
