"""A file of chunks, each compressed and with a proof of its own: what was changed, cut or swapped is found, and where.

    magic line, header (JSON, one line), then for each chunk: length (4 bytes; the highest bit marks the last), body

Without a key a body ends with a SHA-256; with one it is sealed by ChaCha20-Poly1305. Proofs hold the header, the number
of the chunk and whether it is the last.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol

from faults import AuthorError, Fault

_MAGIC = b"ivr-copy 1\n"
_CHUNK = 1 << 20
#: A chunk that does not shrink takes a little more than it holds.
_BODY = _CHUNK + (1 << 12)
_LAST = 1 << 31
_HEADER = 1000


class _Proof(Protocol):
    def close(self, place: bytes, data: bytes) -> bytes: ...

    def open(self, place: bytes, body: bytes) -> bytes:
        """Raises ValueError when the body is not what was written at this place."""


class _Digest:
    def __init__(self, header: bytes) -> None:
        self._header = header

    def _of(self, place: bytes, data: bytes) -> bytes:
        return hashlib.sha256(self._header + place + data).digest()

    def close(self, place: bytes, data: bytes) -> bytes:
        return data + self._of(place, data)

    def open(self, place: bytes, body: bytes) -> bytes:
        data = body[:-32]
        if self._of(place, data) != body[-32:]:
            raise ValueError
        return data


class _Cipher:
    def __init__(self, header: bytes, key: bytes, salt: bytes) -> None:
        # Slow to import, and only copies need it.
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        self._header, self._changed = header, InvalidTag
        # Slow on purpose: a key file may hold words. A new salt for each file, so no two share a key and a nonce.
        self._aead = ChaCha20Poly1305(hashlib.scrypt(key, salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32))

    def close(self, place: bytes, data: bytes) -> bytes:
        return self._aead.encrypt(place, data, self._header)

    def open(self, place: bytes, body: bytes) -> bytes:
        try:
            return self._aead.decrypt(place, body, self._header)
        except self._changed as error:
            raise ValueError from error


def _place(number: int, last: bool) -> bytes:
    return struct.pack(">IQ", last, number)


class SealedWriter:
    """`write` as a file is written, then `close`, without which it is no whole file."""

    def __init__(self, file: BinaryIO, key: bytes | None) -> None:
        salt = os.urandom(16)
        header = json.dumps({"seal": "sha256" if key is None else "chacha20poly1305", "salt": salt.hex()}).encode()
        self._file, self._number, self._buffer = file, 0, bytearray()
        self._proof: _Proof = _Digest(header) if key is None else _Cipher(header, key, salt)
        file.write(_MAGIC + header + b"\n")

    def write(self, data: bytes) -> int:
        self._buffer += data
        while len(self._buffer) > _CHUNK:
            self._seal(bytes(self._buffer[:_CHUNK]), last=False)
            del self._buffer[:_CHUNK]
        return len(data)

    def close(self) -> None:
        self._seal(bytes(self._buffer), last=True)

    def _seal(self, data: bytes, *, last: bool) -> None:
        body = self._proof.close(_place(self._number, last), zlib.compress(data, 1))
        self._file.write(struct.pack(">I", len(body) | (_LAST if last else 0)) + body)
        self._number += 1


class SealedReader:
    """`read` as a file is read. Raises AuthorError for a file that is none, is cut or changed, or has another key."""

    def __init__(self, file: BinaryIO, path: Path, key: bytes | None) -> None:
        self._file, self._path, self._number, self._buffer = file, path, 0, bytearray()
        #: Its last chunk was read.
        self.whole = False
        magic, header = file.read(len(_MAGIC)), file.readline(_HEADER).removesuffix(b"\n")
        if magic != _MAGIC:
            raise self._fault("This is no copy of a site.", "Name a file that ivr backup has written.")
        try:
            plain = json.loads(header)
            seal, salt = plain["seal"], bytes.fromhex(plain["salt"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._changed(f"its header, byte {len(_MAGIC)}") from error
        if seal not in ("sha256", "chacha20poly1305"):
            raise self._fault("A newer release has written this copy.", "Install that release, and restore with it.")
        self._sealed = seal != "sha256"
        if self._sealed and key is None:
            raise self._fault("The copy is encrypted.", "Name the file of its key: --key FILE.")
        self._proof: _Proof = _Cipher(header, key or b"", salt) if self._sealed else _Digest(header)

    def read(self, size: int) -> bytes:
        while len(self._buffer) < size and not self.whole:
            self._buffer += self._open()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _open(self) -> bytes:
        at = self._file.tell()
        where = f"chunk {self._number + 1}, byte {at}"
        length = self._file.read(4)
        if len(length) < 4:
            raise self._fault(f"The copy is cut off before {where}.", "Take another copy; nothing was changed here.")
        (word,) = struct.unpack(">I", length)
        self.whole, size = bool(word & _LAST), word & (_LAST - 1)
        body = self._file.read(size) if size <= _BODY else b""
        if size <= _BODY and len(body) < size:
            raise self._fault(f"The copy is cut off in {where}.", "Take another copy; nothing was changed here.")
        try:
            data = self._proof.open(_place(self._number, self.whole), body)
        except ValueError as error:
            if self._sealed and self._number == 0:
                what, mend = (
                    f"The key is another one, or the copy is changed ({where}).",
                    "Name the key it was made with.",
                )
                raise self._fault(what, mend) from error
            raise self._changed(where) from error
        self._number += 1
        if self.whole and self._file.read(1):
            raise self._changed(f"byte {self._file.tell() - 1}, after its end")
        return zlib.decompressobj().decompress(data, _CHUNK)

    def _changed(self, where: str) -> AuthorError:
        return self._fault(
            f"The copy was changed after it was taken: {where}.", "Take another; nothing was changed here."
        )

    def _fault(self, what: str, mend: str) -> AuthorError:
        return AuthorError(Fault(what=what, where=self._path, mend=mend))
