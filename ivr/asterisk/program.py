"""Which Asterisk there is to run: the machine's own, or one fetched into the cache without root."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import debroot
from faults import Fault, MachineError

#: PJSIP, AGI and AMI as this engine uses them are the same from here on.
OLDEST_MAJOR = 18
#: First releases whose AMI can't be made to write files by Originate (CVE-2024-42365).
_PATCHED = {18: (18, 24, 2), 20: (20, 9, 2), 21: (21, 4, 2)}

_INSTEAD = f"Or install Asterisk {OLDEST_MAJOR} or newer with your system's own package manager."


@dataclass(frozen=True, kw_only=True)
class Program:
    """An Asterisk that can be started."""

    kind: Literal["system", "embedded"]
    #: What starts it; options follow.
    command: tuple[str, ...]
    #: Such as "22.10.1".
    version: str
    modules: Path
    #: Holds documentation/, without which it does not start.
    data: Path

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def has(self, module: str) -> bool:
        """Whether this build has `module`, such as res_cdrel_custom.so, which older releases do without."""
        return (self.modules / module).exists()

    @property
    def patched(self) -> bool:
        """Whether CVE-2024-42365 (an AMI user with `originate` writes files) is mended in it."""
        numbers = tuple(int(number) for number in re.findall(r"\d+", self.version)[:3])
        return numbers >= _PATCHED.get(self.major, (22,))


def root_folder() -> Path:
    """Where the embedded Asterisk is kept; all sites share it."""
    return debroot.cache_dir() / "asterisk"


def system_program() -> Program | None:
    """The machine's own Asterisk when it is new enough."""
    path = shutil.which("asterisk") or shutil.which("/usr/sbin/asterisk")
    if path is None:
        return None
    version = _version((path,))
    modules = next((m for m in _module_folders() if (m / "chan_pjsip.so").exists()), None)
    data = next(
        (d for d in map(Path, ("/usr/share/asterisk", "/var/lib/asterisk")) if (d / "documentation").is_dir()), None
    )
    if modules is None or data is None or int(version.split(".")[0]) < OLDEST_MAJOR:
        return None
    return Program(kind="system", command=(path,), version=version, modules=modules, data=data)


def _module_folders() -> list[Path]:
    return [
        *Path("/usr/lib").glob("*/asterisk/modules"),
        *map(Path, ("/usr/lib/asterisk/modules", "/usr/lib64/asterisk/modules")),
    ]


def embedded_program() -> Program | None:
    """The fetched Asterisk; None when `install` has not run."""
    root = debroot.opened(root_folder())
    if root is None or "asterisk" not in root.versions:
        return None
    return Program(
        kind="embedded",
        command=root.command("usr/sbin/asterisk"),
        # "1:22.10.1+dfsg-1" is Debian's name for 22.10.1.
        version=re.sub(r"^\d+:|[^\d.].*$", "", root.versions["asterisk"].split(":", 1)[-1]),
        modules=root.libraries / "asterisk" / "modules",
        data=root.folder / "usr" / "share" / "asterisk",
    )


def install(progress: debroot.Reporter | None = None) -> Program:
    """Fetch the embedded Asterisk; at once when it is there. Raises MachineError."""
    debroot.fetch(["asterisk", "asterisk-modules"], root_folder(), progress=progress, instead=_INSTEAD)
    program = embedded_program()
    if program is None:
        raise MachineError(
            Fault(
                what="The fetched Asterisk is incomplete.", where=root_folder(), mend="Remove the folder and try again."
            )
        )
    return program


def find(mode: Literal["auto", "embedded", "system"] = "auto") -> Program:
    """The Asterisk to run. `auto` prefers the machine's own. Raises MachineError when there is none."""
    program = system_program() if mode in ("auto", "system") else None
    if program is None and mode in ("auto", "embedded"):
        program = embedded_program()
    if program is not None:
        return program
    mend = "Fetch one without root: ivr asterisk install."
    if mode == "system":
        mend = f'Install Asterisk {OLDEST_MAJOR} or newer, or set mode = "auto" in [asterisk] of ivr.toml.'
    raise MachineError(Fault(what="There is no Asterisk to run.", mend=mend))


def _version(command: tuple[str, ...]) -> str:
    """The version that the program prints; "0" when it prints none."""
    shown = subprocess.run([*command, "-V"], check=False, capture_output=True, text=True, errors="replace", timeout=20)
    match = re.search(r"(\d+(?:\.\d+)+)", shown.stdout)
    return match[1] if match else "0"
