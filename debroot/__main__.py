"""`python3 -m debroot PACKAGE ... --into FOLDER`: runs before a virtual environment exists."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from debroot import OWN, SID, Progress, fetch
from faults import MachineError


def main() -> int:
    """Fetch packages from the command line; the exit status is 1 with the reason when that is not possible."""
    parser = argparse.ArgumentParser(description="Unpack Debian packages into a folder, without root.")
    parser.add_argument(
        "--suite", default=SID, help=f"a Debian suite, or {OWN!r} for the machine's own (default: {SID})"
    )
    parser.add_argument("--component", action="append", help="such as main or non-free (default: main)")
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="made when it is not there")
    parser.add_argument("packages", nargs="+")
    given = parser.parse_args()
    last = ""

    def show(progress: Progress) -> None:
        nonlocal last
        if progress.stage != last:
            last = progress.stage
            sys.stderr.write(f"{last} ...\n")

    try:
        fetch(given.packages, given.into, suite=given.suite, components=given.component or ("main",), progress=show)
    except MachineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("stopped; run it again, and it goes on from here\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
