"""Note who wants to be called back: the dialplan starts this process when no engine is there. Speaks AGI through pyst2.

    python -m ivr.fallback.script SPOOL DIALLED LANGUAGE ASKED_AT

ASKED_AT is in seconds since 1970. IVR_NOTED is set to 1 when the wish is on the disk; the dialplan speaks. It imports
nothing of the engine but ivr.fallback.call_back: another process, another failure domain.

pyst2 0.5.1 leaves to its user: EOF or HANGUP instead of a reply (ValueError), and undecodable headers.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from asterisk.agi import AGI, AGIException

from ivr.fallback.call_back import CallBack


def note(agi: AGI, spool: Path, *, dialled: str, language: str, asked_at_s: int) -> None:
    """Keep the caller's wish and say so to the dialplan. Raises OSError when the disk refuses; then nothing is said."""
    phone = str(agi.env.get("agi_callerid", ""))
    request = CallBack(
        phone="" if phone == "unknown" else phone,
        dialled=dialled,
        language=language,
        uniqueid=str(agi.env.get("agi_uniqueid", "")),
        asked_at_ms=asked_at_s * 1000,
    )
    request.write(spool)
    agi.execute("SET VARIABLE", "IVR_NOTED", "1")


def main(arguments: Sequence[str]) -> int:
    """0 when the wish was noted, be the caller gone by then or not; 1 when it could not be."""
    # Any bytes may come in a caller name.
    commands = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")
    # pyst2 reports every header and reply, numbers included.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        try:
            spool, dialled, language, asked_at_s = arguments
            note(AGI(commands, sys.stdout, nowhere), Path(spool), dialled=dialled, language=language,
                 asked_at_s=int(asked_at_s))  # fmt: skip
        except AGIException as error:
            # The wish was on the disk before Asterisk was told.
            print(f"ivr fallback: the caller is gone: {type(error).__name__}", file=sys.stderr)
        except (ValueError, OSError) as error:
            print(f"ivr fallback: the wish was not noted: {type(error).__name__}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
