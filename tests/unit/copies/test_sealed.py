"""A sealed file is read back as it was written, or refused with the place: cut, changed, mixed, another key."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.copies import sealed
from app.copies.sealed import SealedReader, SealedWriter
from faults import AuthorError

KEY = b"a key of sixteen"


def written(data: bytes, key: bytes | None) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, key)
    writer.write(data)
    writer.close()
    return file.getvalue()


def read(data: bytes, key: bytes | None) -> bytes:
    reader = SealedReader(io.BytesIO(data), Path("x.ivrcopy"), key)
    found = b""
    while not reader.whole:
        found += reader.read(1 << 20)
    return found + reader.read(1 << 30)


def refused(data: bytes, key: bytes | None) -> str:
    with pytest.raises(AuthorError) as error:
        read(data, key)
    return str(error.value)


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def key(request: pytest.FixtureRequest) -> bytes | None:
    found: bytes | None = request.param
    return found


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "_CHUNK", 64)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 128, 1000])
def test_what_is_written_is_read(size: int, key: bytes | None, short_chunks: None) -> None:
    data = os.urandom(size)
    assert read(written(data, key), key) == data


def test_a_chunk_that_is_full_is_read(key: bytes | None) -> None:
    data = os.urandom(sealed._CHUNK * 2 + 5)
    assert read(written(data, key), key) == data


def test_a_copy_cut_anywhere_is_refused(key: bytes | None, short_chunks: None) -> None:
    whole = written(bytes(range(200)), key)
    header = whole.index(b"\n", whole.index(b"\n") + 1) + 1
    # Opening an encrypted one is slow on purpose.
    for end in range(header, len(whole), 1 if key is None else 37):
        assert "cut off" in refused(whole[:end], key), end


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_copy_changed_anywhere_is_refused(at: int, flip: int) -> None:
    whole = bytearray(written(b"names and numbers" * 20, None))
    whole[at % len(whole)] ^= flip
    refused(bytes(whole), None)


def test_a_change_of_an_encrypted_copy_is_refused_with_its_place(short_chunks: None) -> None:
    whole = bytearray(written(bytes(200), KEY))
    whole[-1] ^= 1
    assert "was changed after it was taken: chunk 4, byte" in refused(bytes(whole), KEY)


def test_chunks_of_two_copies_don_t_mix(key: bytes | None) -> None:
    one, other = written(b"x" * 100, key), written(b"y" * 100, key)
    header = one.index(b"\n", one.index(b"\n") + 1) + 1
    refused(one[:header] + other[header:], key)


def test_bytes_after_the_end_are_refused(key: bytes | None) -> None:
    assert "after its end" in refused(written(b"x", key) + b"y", key)


def test_the_key_is_asked_for_and_checked() -> None:
    whole = written(b"+79161234567", KEY)
    assert b"79161234567" not in whole
    assert "The copy is encrypted. Name the file of its key: --key FILE." in refused(whole, None)
    assert "The key is another one" in refused(whole, b"another key of 16")
    # A copy without a key is as readable with one.
    assert read(written(b"x", None), KEY) == b"x"


def test_what_is_no_copy_is_said_to_be_none() -> None:
    assert "This is no copy of a site." in refused(b"PK\x03\x04", None)
