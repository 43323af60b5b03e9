"""An engine that has settled holds what it held, in huge pages where the kernel can."""

from __future__ import annotations

import subprocess
import sys

import pytest

_MIB = 1 << 20
_SETTLE = """
import gc
from pathlib import Path
from app.service.settled import settle

def huge_kb():
    return sum(int(line.split()[1]) for line in Path("/proc/self/smaps_rollup").read_text().splitlines()
               if line.startswith("AnonHugePages"))

held = [str(number) for number in range(500_000)]
before = huge_kb()
settle()
assert held == [str(number) for number in range(500_000)]
assert gc.get_freeze_count() > 0
print(huge_kb() - before)
"""


def test_what_is_held_is_put_into_huge_pages() -> None:
    done = subprocess.run([sys.executable, "-c", _SETTLE], check=True, capture_output=True, text=True)
    if int(done.stdout) == 0:
        pytest.skip("this kernel, or this machine's memory, has no huge pages to give")
    assert int(done.stdout) * 1024 >= 2 * _MIB
