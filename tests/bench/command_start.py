"""How long a command takes to start: `python -m tests.bench.command_start [CHECKOUT]`.

Ratios to a Python that does nothing, started in turn with the commands, so that they hold on any machine. The commands
of CHECKOUT, the folder of another release, are started in turn with ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS = 9
OURS = Path(__file__).resolve().parents[2]

#: CPU time of the commands as a ratio to the bare Python, when every command still imported all modules of all.
BEFORE = {
    "--help": 55.0,
    "campaign --help": 56.9,
    "campaign list": 57.5,
    "report": 59.5,
    "flow check": 60.2,
    "calls": 56.4,
}


@dataclass(frozen=True)
class Cost:
    wall_s: float
    cpu_s: float

    def least(self, other: Cost) -> Cost:
        return Cost(min(self.wall_s, other.wall_s), min(self.cpu_s, other.cpu_s))


def cost(code: Sequence[str], folder: Path) -> Cost:
    """What one start of Python costs. Raises RuntimeError when it fails."""
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, *code], cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(code)} ended with {process.returncode}")
    return Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime)


def make_site(folder: Path) -> Path:
    """A site with one campaign that nobody has started."""
    site, people = folder / "site", folder / "people.csv"
    people.write_text("phone,name\n+79161234567,Анна\n", "utf-8")
    cost(["-m", "app", "init", str(site), "--set", "trunk.host=127.0.0.1"], OURS)
    cost(["-m", "app", "campaign", "create", "tv", "--contacts", str(people), "--site", str(site)], OURS)
    return site


def main(others: Sequence[str] = ()) -> None:
    checkouts = [OURS, *(Path(each).resolve() for each in others)]
    with tempfile.TemporaryDirectory() as folder:
        site = str(make_site(Path(folder)))
        commands = {
            "--help": ["--help"],
            "campaign --help": ["campaign", "--help"],
            "campaign list": ["campaign", "list", "--site", site],
            "report": ["report", "tv", "--site", site],
            "flow check": ["flow", "check", "--site", site],
            "calls": ["calls", "--site", site],
        }
        least: dict[tuple[str, Path], Cost] = {}
        for _ in range(ROUNDS):
            for checkout in checkouts:
                for name, words in {"": [], **commands}.items():
                    each = cost(["-m", "app", *words] if words else ["-c", "pass"], checkout)
                    least[name, checkout] = each.least(least.get((name, checkout), each))
    for checkout in checkouts:
        bare = least["", checkout]
        print(f"{checkout}: a bare Python {1000 * bare.wall_s:.0f} ms, {1000 * bare.cpu_s:.0f} ms of CPU")
        for name in commands:
            each = least[name, checkout]
            ratio = each.cpu_s / bare.cpu_s
            line = f"  ivr {name:<16} {1000 * each.wall_s:5.0f} ms, CPU {1000 * each.cpu_s:5.0f} ms = {ratio:5.1f} bare"
            if checkout == OURS and name in BEFORE:
                line += f", {ratio / BEFORE[name]:.2f} of what it was"
            if checkout != OURS:
                line += f"; ours {least[name, OURS].cpu_s / each.cpu_s:.2f} of it"
            print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
