"""A site that is down, and stays so while its database is replaced or carried away."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from faults import Fault, MachineError
from ivr.asterisk.running import Home, running_pid
from ivr.journal.copying import held


@contextlib.contextmanager
def down(var: Path) -> Iterator[None]:
    """Neither engine nor Asterisk of the site runs, and no engine begins to journal meanwhile.

    Raises MachineError when one does.
    """
    mend = "End it first: Ctrl-C at ivr up, or systemctl stop; and ivr asterisk stop, if that still runs."
    pid = running_pid(Home(folder=var / "asterisk"))
    if pid is not None:
        raise MachineError(Fault(what=f"The site runs: its Asterisk is process {pid}.", where=var.parent, mend=mend))
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(held(var))
        except BlockingIOError as error:
            raise MachineError(Fault(what="The site runs: its engine is up.", where=var.parent, mend=mend)) from error
        yield
