"""The local fallback: Asterisk starts this process when no engine served the caller. Speaks AGI through pyst2.

    python -m ivr.fallback.script PLAN.json [DIALLED]

It apologises in the caller's language, connects to the operator (0) and notes a call-back request (1). It imports
nothing of the engine but ivr.fallback.plan: another process, another failure domain.

pyst2 0.5.1 leaves to its user: quoting (arguments are joined as they are), EOF or HANGUP instead of a reply
(ValueError), a missing sound file (an error like a hang-up's), and undecodable headers.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from asterisk.agi import AGI, AGIAppError, AGIException

from ivr.fallback.plan import CallBack, Plan, now_ms

OPERATOR, CALL_BACK = "0", "1"
#: How often the offer is made before goodbye.
OFFERS = 2
WAIT_FOR_KEY_MS = 5000
RING_S = 30

_UNSPEAKABLE = re.compile('[\x00-\x1f"\\\\]')


class Caller:
    """The caller's channel, with pyst2's gaps closed. Its errors mean that the caller is gone."""

    def __init__(self, agi: AGI) -> None:
        self._agi = agi

    def _word(self, text: str) -> str:
        if _UNSPEAKABLE.search(text):
            raise ValueError(f"can't be an AGI argument: {text!r}")
        return f'"{text}"'

    def header(self, name: str) -> str:
        value = self._agi.env.get(f"agi_{name}", "")
        return "" if value == "unknown" else str(value)

    def answer(self) -> None:
        self._agi.execute("ANSWER")

    def variable(self, name: str) -> str:
        result: tuple[str, str] = self._agi.execute("GET VARIABLE", name)["result"]
        return result[1]

    def play(self, files: Sequence[str], keys: str) -> str:
        """Play the files; the key that stopped them, or "". A file that can't be played is passed over."""
        for file in files:
            try:
                code = self._agi.execute("STREAM FILE", self._word(file), self._word(keys))["result"][0]
            except AGIAppError:
                # A missing file, or a hang-up: Asterisk sends SIGHUP for the latter, which the next command reports.
                self._agi.test_hangup()
                continue
            if code != "0":
                return chr(int(code))
        return ""

    def key(self) -> str:
        code = self._agi.execute("WAIT FOR DIGIT", WAIT_FOR_KEY_MS)["result"][0]
        return "" if code == "0" else chr(int(code))

    def dial(self, where: str) -> bool:
        """Whether they talked."""
        try:
            self._agi.execute("EXEC", "Dial", self._word(f"{where},{RING_S},g"))
        except AGIAppError:
            self._agi.test_hangup()
        return self.variable("DIALSTATUS") == "ANSWER"


def serve(caller: Caller, plan: Plan, dialled: str) -> None:
    """Carry the call out. Raises AGIException, ValueError or OSError when the caller is gone."""
    caller.answer()
    language = caller.variable("IVR_LANGUAGE")
    says = plan.audio.get(language) or plan.audio.get(plan.language) or {}

    def say(text: str, keys: str = "") -> str:
        return caller.play(says.get(text, ()), keys)

    text, keys = "apology", CALL_BACK + (OPERATOR if plan.operator else "")
    for _ in range(OFFERS):
        key = say(text, keys) or caller.key()
        if key == OPERATOR and plan.operator:
            if caller.dial(plan.operator):
                return
            text, keys = "operators_busy", CALL_BACK
            key = say(text, keys) or caller.key()
        if key == CALL_BACK and caller.header("callerid"):
            request = CallBack(
                phone=caller.header("callerid"),
                dialled=dialled,
                language=language if language in plan.audio else plan.language,
                uniqueid=caller.header("uniqueid"),
                asked_at_ms=now_ms(),
            )
            request.write(Path(plan.spool))
            say("noted")
            return
    say("goodbye")


def main(arguments: Sequence[str]) -> int:
    """0 when the caller was served or hung up; 1 when there is no plan to serve by."""
    try:
        plan = Plan.read(Path(arguments[0]))
    except (IndexError, OSError, ValueError) as error:
        print(f"ivr fallback: no plan: {error}", file=sys.stderr)
        return 1
    # Any bytes may come in a caller name.
    commands = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")
    # pyst2 reports every header and reply, numbers included.
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        try:
            serve(Caller(AGI(commands, sys.stdout, nowhere)), plan, dialled=(*arguments[1:], "")[0])
        except (AGIException, ValueError, OSError) as error:
            print(f"ivr fallback: the call ended: {type(error).__name__}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
