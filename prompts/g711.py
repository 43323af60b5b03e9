"""G.711: 16-bit samples <-> A-law and µ-law bytes, by tables. Pure.

Follows ITU-T G.711 (segments of a 13-bit and a 14-bit scale); both laws round a sample into its step as the
reference code of ITU-T G.191 does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
Bytes = NDArray[np.uint8]


def _alaw_encoder() -> Bytes:
    x = np.arange(-32768, 32768) >> 3
    sign = np.where(x >= 0, 0xD5, 0x55)
    # One's complement: -1 has the magnitude of 0.
    magnitude = np.where(x >= 0, x, -x - 1)
    segment = np.searchsorted([0x1F, 0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF], magnitude, side="left")
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    code: Bytes = (((segment << 4) | mantissa) ^ sign).astype(np.uint8)
    return code


def _ulaw_encoder() -> Bytes:
    x = np.arange(-32768, 32768) >> 2
    sign = np.where(x >= 0, 0xFF, 0x7F)
    magnitude = np.minimum(np.where(x >= 0, x, -x - 1), 8158) + 33
    segment = np.searchsorted([0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF], magnitude, side="left")
    mantissa = (magnitude >> (segment + 1)) & 0x0F
    code: Bytes = (((segment << 4) | mantissa) ^ sign).astype(np.uint8)
    return code


def _alaw_decoder() -> Pcm:
    code = np.arange(256) ^ 0x55
    segment, mantissa = (code >> 4) & 7, (code & 0x0F) << 4
    magnitude = np.where(segment == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _ulaw_decoder() -> Pcm:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


_ALAW, _ULAW = _alaw_encoder(), _ulaw_encoder()
_FROM_ALAW, _FROM_ULAW = _alaw_decoder(), _ulaw_decoder()


def alaw(pcm: Pcm) -> bytes:
    """One byte for each sample."""
    return _ALAW[pcm.astype(np.int32) + 32768].tobytes()


def ulaw(pcm: Pcm) -> bytes:
    """One byte for each sample."""
    return _ULAW[pcm.astype(np.int32) + 32768].tobytes()


def from_alaw(data: bytes) -> Pcm:
    return _FROM_ALAW[np.frombuffer(data, np.uint8)].astype(np.int16)


def from_ulaw(data: bytes) -> Pcm:
    return _FROM_ULAW[np.frombuffer(data, np.uint8)].astype(np.int16)
