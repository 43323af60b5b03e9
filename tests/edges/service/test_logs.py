"""What is logged when the same happens again and again, and when nobody can be told any more."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

from app.commands.logs import Rows


def warning(event: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("x", level, "x.py", 1, {"event": event}, None, None)


def test_a_storm_of_one_kind_is_bounded_and_counted() -> None:
    now_s = 0.0
    rows = Rows(lambda: now_s)
    assert sum(rows.filter(warning("agi.refused")) for _ in range(1000)) == 20
    # Others of the same minute are told, and so are all infos.
    assert rows.filter(warning("asterisk_died", logging.ERROR))
    assert all(rows.filter(warning("dial", logging.INFO)) for _ in range(1000))
    now_s = 61.0
    later = warning("agi.refused")
    assert rows.filter(later)
    assert later.msg == {"event": "agi.refused", "left_out": 980}
    assert sum(rows.filter(warning("agi.refused")) for _ in range(1000)) == 19


_LOGGER = """
import sys
from pathlib import Path
import structlog
from app.commands.console import plain_console
from app.commands.logs import log_to
from app.commands.serving import Terminal

log_to(Path(sys.argv[1]))
terminal = Terminal(plain_console())
sys.stdin.readline()
for n in range(3):
    terminal.say(f"Stopping {n}")
    structlog.get_logger().error("asterisk_died", n=n)
"""


def test_nobody_there_to_read_it(tmp_path: Path) -> None:
    """Standard output and error are closed at the other end, as after a lost SSH: the log has all, the end is clean."""
    log = tmp_path / "ivr.log"
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        (sys.executable, "-c", _LOGGER, str(log)), stdin=subprocess.PIPE, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.close(ours)
    process.communicate(b"go on\n", timeout=60)
    assert process.returncode == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["n"] for event in events if event["event"] == "asterisk_died"] == [0, 1, 2]
