"""G.711 against values known from the standard and against libsndfile, which was written by others."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from prompts import g711

EVERY_SAMPLE = np.arange(-32768, 32768)
EVERY_CODE = bytes(range(256))


@pytest.mark.parametrize(
    ("sample", "alaw", "ulaw"),
    [(0, 0xD5, 0xFF), (-1, 0x55, 0x7F), (8, 0xD5, 0xFE), (1000, 0xFA, 0xCE), (-1000, 0x7A, 0x4E), (32767, 0xAA, 0x80)],
)
def test_known_values(sample: int, alaw: int, ulaw: int) -> None:
    pcm = np.array([sample], np.int16)
    assert (g711.alaw(pcm)[0], g711.ulaw(pcm)[0]) == (alaw, ulaw)


@pytest.mark.parametrize(
    ("subtype", "decode"), [("ALAW", g711.from_alaw), ("ULAW", g711.from_ulaw)], ids=["alaw", "ulaw"]
)
def test_decoding_equals_libsndfile(subtype: str, decode: object) -> None:
    expected, _ = soundfile.read(
        io.BytesIO(EVERY_CODE), format="RAW", subtype=subtype, samplerate=8000, channels=1, dtype="int16"
    )
    assert callable(decode)
    assert decode(EVERY_CODE).tolist() == expected.tolist()


@pytest.mark.parametrize("law", ["alaw", "ulaw"])
def test_encoding_is_the_nearest_step_but_for_ties(law: str) -> None:
    encode, decode = getattr(g711, law), getattr(g711, f"from_{law}")
    back = decode(encode(EVERY_SAMPLE.astype(np.int16))).astype(np.int32)
    steps = np.unique(decode(EVERY_CODE).astype(np.int32))
    gaps = np.diff(steps)
    right = np.searchsorted(steps, EVERY_SAMPLE).clip(2, len(gaps) - 1)
    # Half the distance between two steps is the largest error; samples beyond the last step are held at it.
    widest = np.max([gaps[right - 2], gaps[right - 1], gaps[right]], axis=0)
    allowed = np.maximum((widest + 1) // 2 + 4, np.abs(EVERY_SAMPLE) - steps[-1])
    assert (np.abs(back - EVERY_SAMPLE) <= allowed).all()


def test_a_decoded_code_encodes_to_itself() -> None:
    assert g711.alaw(g711.from_alaw(EVERY_CODE)) == EVERY_CODE
    # µ-law has two zeros.
    assert g711.ulaw(g711.from_ulaw(EVERY_CODE)) == EVERY_CODE.replace(b"\x7f", b"\xff")
