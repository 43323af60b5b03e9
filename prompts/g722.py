"""G.722 for wideband trunks: 16 kHz samples -> bytes, 8 of them a millisecond. By a package that is here on x86-64."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray

#: Bits in a second; what "g722" means in SIP.
_BITRATE = 64000
_RATE = 16000


def available() -> bool:
    return importlib.util.find_spec("G722") is not None


def g722(pcm: NDArray[np.int16]) -> bytes:
    """One byte for every two samples. Raises ImportError when the package is not here."""
    from G722 import G722

    return bytes(G722(_RATE, _BITRATE).encode(pcm))
