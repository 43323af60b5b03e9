"""`make bench`: what an answered call costs, how true the pace of dialling is, how quick store, report and commands
are.

`python -m tests.bench NAME …` for some.
"""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = (
    "call_cost",
    "concurrent_calls",
    "dialling_pace",
    "import_speed",
    "claim_speed",
    "report_speed",
    "change_over_speed",
    "command_start",
)

for name in sys.argv[1:] or BENCHMARKS:
    print(f"== {name}", flush=True)
    importlib.import_module(f"tests.bench.{name}").main()
