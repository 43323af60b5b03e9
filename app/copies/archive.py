"""Named pieces in a sealed file, which is there as a whole or not at all. Inside it is a tar."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Generator, Iterator
from pathlib import Path

from app.copies.sealed import SealedReader, SealedWriter
from faults import AuthorError, Fault, MachineError

#: A shorter key is guessed.
_KEY_AT_LEAST, _KEY_AT_MOST = 16, 1 << 16


class Archive:
    """To be written to, within `writing`."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(self, name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(data), 0o600
        self._tar.addfile(member, io.BytesIO(data))


@contextlib.contextmanager
def writing(path: Path, key: bytes | None) -> Iterator[Archive]:
    """A new archive, under its name when the block has come to its end and it is on the disk; else nothing is left.

    Readable by its owner alone. Raises AuthorError when the file is there already, MachineError for the disk.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists():
            raise AuthorError(
                Fault(what="There is a file of this name.", where=path, mend="Name another, or a folder.")
            )
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            sealed = SealedWriter(file, key)
            with tarfile.open(fileobj=sealed, mode="w|") as tar:  # type: ignore[call-overload]
                yield Archive(tar)
            sealed.close()
            file.flush()
            os.fsync(file.fileno())
        # Not over a file that came meanwhile.
        os.link(partial, path)
        sync_folder(path.parent)
    except OSError as error:
        what = f"The copy can't be written: {error.strerror or error}."
        raise MachineError(Fault(what=what, where=path, mend="Check the folder's rights and free space.")) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def pieces(path: Path, key: bytes | None) -> Generator[tuple[str, bytes]]:
    """Name and content of each piece. Only after the last the archive is known to be whole.

    Raises AuthorError for a file that can't be read, is no archive, cut or changed, or has another key.
    """
    try:
        with path.open("rb") as file:
            sealed = SealedReader(file, path, key)
            with tarfile.open(fileobj=sealed, mode="r|") as tar:  # type: ignore[call-overload]
                for member in tar:
                    content = tar.extractfile(member)
                    if content is not None:
                        yield member.name, content.read()
            while not sealed.whole:
                sealed.read(1 << 16)
    except OSError as error:
        fault = Fault(what=f"The copy can't be read: {error.strerror or error}.", where=path, mend="Check its name.")
        raise AuthorError(fault) from error
    except tarfile.TarError as error:
        fault = Fault(what=f"This is no copy of a site: {error}.", where=path, mend="Take another copy.")
        raise AuthorError(fault) from error


def read_key(path: Path) -> bytes:
    """What a copy is encrypted with. Raises AuthorError when the file can't be read or is no key."""
    try:
        with path.open("rb") as file:
            key = file.read(_KEY_AT_MOST + 1)
    except OSError as error:
        fault = Fault(what=f"The key can't be read: {error.strerror}.", where=path, mend="Check its name and rights.")
        raise AuthorError(fault) from error
    if not _KEY_AT_LEAST <= len(key) <= _KEY_AT_MOST:
        what = f"A key has {_KEY_AT_LEAST} bytes or more, and this has {len(key)}."
        mend = f"Make one, and keep it elsewhere than the copies: head -c 32 /dev/urandom > {path.name}"
        raise AuthorError(Fault(what=what, where=path, mend=mend))
    return key


def sync_folder(folder: Path) -> None:
    """Let names in `folder` outlive a power cut. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
