"""Unpack Debian packages into a folder, without root and without touching the system.

APT itself resolves, downloads and verifies them, with a private state beside the target folder; the mirror and its
keyring are read from the machine's own sources. Standard library only, for it also runs before a virtual environment
exists:

    python3 -m debroot asterisk --into ROOT
    python3 -m debroot python3-pip-whl --suite own --into ROOT
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from debroot.sources import SID, chosen_source, deb822, distribution_source, machine_sources, os_release
from faults import Fault, MachineError

_MANIFEST = ".debroot.json"
_NEEDLESS = ("doc", "man", "info", "locale", "lintian", "bug", "doc-base", "i18n", "zoneinfo", "icons", "menu")
_TRIPLETS = {
    "amd64": ("x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "arm64": ("aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
    "armhf": ("arm-linux-gnueabihf", "ld-linux-armhf.so.3"),
    "i386": ("i386-linux-gnu", "ld-linux.so.2"),
    "ppc64el": ("powerpc64le-linux-gnu", "ld64.so.2"),
    "riscv64": ("riscv64-linux-gnu", "ld-linux-riscv64-lp64d.so.1"),
    "s390x": ("s390x-linux-gnu", "ld64.so.1"),
}


@dataclass(frozen=True)
class Progress:
    stage: Literal["index", "download", "unpack"]
    #: 0 to 100.
    percent: float


#: Is told how far the work is; called from several threads.
Reporter = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Root:
    """A folder with unpacked packages."""

    folder: Path
    architecture: str
    #: Of every unpacked package.
    versions: Mapping[str, str]

    @property
    def libraries(self) -> Path:
        return self.folder / "usr" / "lib" / _TRIPLETS[self.architecture][0]

    @property
    def library_path(self) -> str:
        """Where the root's programs find their libraries, as the loader and LD_LIBRARY_PATH take it."""
        # Some libraries find their own in a folder of their name (pulseaudio/) by an absolute path, which is not ours.
        private = sorted({path.parent for path in self.libraries.glob("*/lib*.so*")})
        return ":".join(map(str, (self.libraries, *private)))

    def command(self, program: str) -> tuple[str, ...]:
        """The argument list that runs `program` (such as usr/sbin/asterisk) with the root's loader and libraries."""
        loader = self.libraries / _TRIPLETS[self.architecture][1]
        return (str(loader), "--library-path", self.library_path, str(self.folder / program))


def cache_dir() -> Path:
    """Where downloads that sites share are kept: $IVR_CACHE, $XDG_CACHE_HOME/ivr or ~/.cache/ivr."""
    if own := os.environ.get("IVR_CACHE"):
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ivr"


def opened(folder: Path) -> Root | None:
    """The finished root in `folder`; None when there is none."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
        return Root(folder=folder, architecture=manifest["architecture"], versions=manifest["versions"])
    except (OSError, ValueError, KeyError):
        return None


def fetch(
    packages: Sequence[str],
    into: Path,
    *,
    suite: str = SID,
    components: Sequence[str] = ("main",),
    trim: bool = True,
    progress: Reporter | None = None,
    instead: str = "Install the packages with your system's own package manager.",
) -> Root:
    """The packages and all they depend on, unpacked in `into`; at once when they are there already.

    `suite` is a Debian suite or OWN; off Debian (Ubuntu) it is always OWN. `trim` leaves out manuals and translations.
    An interrupted download goes on where it stopped; a folder appears only when it is complete; several processes may
    ask for the same one. Raises MachineError; `instead` is its advice when this can't work here.
    """
    into = into.absolute()
    report = progress or (lambda _: None)
    try:
        into.parent.mkdir(parents=True, exist_ok=True)
        with _locked(into.with_name(f".{into.name}.lock")):
            root = opened(into)
            if root is not None and set(packages) <= root.versions.keys():
                return root
            return _Fetch(packages, into, suite, components, trim, report, instead).run()
    except OSError as error:
        raise MachineError(
            Fault(
                what=f"Packages can't be unpacked: {error.strerror or error}.",
                where=into,
                mend="Free some disk space (500 MB), or choose another folder with IVR_CACHE.",
            )
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class _Fetch:
    def __init__(
        self,
        packages: Sequence[str],
        into: Path,
        suite: str,
        components: Sequence[str],
        trim: bool,
        report: Reporter,
        instead: str,
    ) -> None:
        self.packages, self.into, self.trim, self.report, self.instead = packages, into, trim, report, instead
        for program in ("apt-get", "dpkg", "dpkg-deb"):
            if shutil.which(program) is None:
                raise self._fault(f"{program} is missing: this machine is no Debian or Ubuntu.", instead)
        self.architecture = _output("dpkg", "--print-architecture").strip()
        if self.architecture not in _TRIPLETS:
            raise self._fault(f"The architecture {self.architecture} is not supported.", instead)
        chosen = distribution_source(machine_sources(), os_release())
        if chosen is None:
            raise self._fault("The APT sources of this machine name no Debian or Ubuntu mirror.", instead)
        self.source = chosen_source(chosen, os_release(), suite, components)
        # Kept when a download is interrupted, so that the next run goes on.
        self.state = into.with_name(f".{into.name}.apt")

    def run(self) -> Root:
        config = self._private_apt()
        self._apt(config, "index", "update")
        install = ("install", "--yes", "--download-only", "--no-install-recommends", *self.packages)
        # With an empty archive, so that what an interrupted run has fetched is listed too.
        listing = self._apt(config, "index", "-o", f"Dir::Cache::archives={self.state}/empty", *install, "--print-uris")
        wanted = re.findall(r"^'\S+' (\S+\.deb) (\d+)", listing, re.M)
        need = sum(int(size) for _, size in wanted)
        free = shutil.disk_usage(self.state).free
        if free < need * 5:
            mend = f"Free {need * 5 // 1_000_000} MB, or choose another folder with IVR_CACHE."
            raise self._fault(f"The disk is full: {free // 1_000_000} MB free.", mend)
        self._apt(config, "download", *install)
        return self._unpack([self.state / "archives" / name for name, _ in sorted(wanted)])

    def _private_apt(self) -> Path:
        for folder in ("lists/partial", "archives/partial", "empty/partial"):
            (self.state / folder).mkdir(parents=True, exist_ok=True)
        (self.state / "status").touch()
        (self.state / "debroot.sources").write_text(deb822(self.source), "utf-8")
        config = self.state / "apt.conf"
        # Read after the machine's own configuration, whose proxies and credentials stay in force.
        config.write_text(
            f"""\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
#clear APT::Default-Release;
APT::Architecture "{self.architecture}";
APT::Architectures {{ "{self.architecture}"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::State "{self.state}";
Dir::State::Lists "{self.state}/lists";
Dir::State::status "{self.state}/status";
Dir::Cache "{self.state}";
Dir::Cache::archives "{self.state}/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "{self.state}/debroot.sources";
Dir::Etc::sourceparts "{self.state}/empty";
Dir::Etc::preferences "{self.state}/empty/none";
Dir::Etc::preferencesparts "{self.state}/empty";
""",
            "utf-8",
        )
        return config

    def _apt(self, config: Path, stage: Literal["index", "download"], *arguments: str) -> str:
        """apt-get's output. APT tells how far it is on the descriptor named by APT::Status-Fd."""
        self.report(Progress(stage, 0))
        read_fd, write_fd = os.pipe()
        try:
            process = subprocess.Popen(
                ["apt-get", "-q", "-c", str(config), "-o", f"APT::Status-Fd={write_fd}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                pass_fds=(write_fd,),
                env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            )
        finally:
            os.close(write_fd)
        watcher = threading.Thread(target=self._watch, args=(os.fdopen(read_fd), stage))
        watcher.start()
        try:
            out, complaint = process.communicate()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
            watcher.join()
        if process.returncode:
            raise self._explain(complaint or out)
        self.report(Progress(stage, 100))
        return out

    def _watch(self, status: IO[str], stage: Literal["index", "download"]) -> None:
        with status:
            for line in status:
                if line.startswith("dlstatus:"):
                    with suppress(IndexError, ValueError):
                        self.report(Progress(stage, float(line.split(":")[2])))

    def _unpack(self, debs: Sequence[Path]) -> Root:
        partial = self.into.with_name(f".{self.into.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        # Packages from before the merge of /usr unpack into /lib; dpkg-deb --extract would put a folder over the link.
        for name in ("bin", "sbin", "lib", "lib64"):
            (partial / "usr" / name).mkdir(parents=True, exist_ok=True)
            (partial / name).symlink_to(f"usr/{name}")
        versions = {}
        for done, deb in enumerate(debs):
            self.report(Progress("unpack", 100 * done / len(debs)))
            name, version = _output("dpkg-deb", "--show", "--showformat=${Package} ${Version}", str(deb)).split()
            with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as archive:
                unpacking = subprocess.run(
                    ["tar", "--extract", "--keep-directory-symlink", "--no-same-owner", "--directory", str(partial)],
                    stdin=archive.stdout,
                    check=False,
                    capture_output=True,
                    text=True,
                    errors="replace",
                )
            if unpacking.returncode or archive.returncode:
                raise self._explain(unpacking.stderr)
            versions[name] = version
        for needless in _NEEDLESS if self.trim else ():
            shutil.rmtree(partial / "usr" / "share" / needless, ignore_errors=True)
        manifest = {"requested": list(self.packages), "architecture": self.architecture, "versions": versions}
        (partial / _MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
        if self.into.exists():
            old = self.into.with_name(f".{self.into.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            self.into.rename(old)
            partial.rename(self.into)
            shutil.rmtree(old, ignore_errors=True)
        else:
            partial.rename(self.into)
        shutil.rmtree(self.state, ignore_errors=True)
        self.report(Progress("unpack", 100))
        return Root(folder=self.into, architecture=self.architecture, versions=versions)

    def _explain(self, complaint: str) -> MachineError:
        """What APT's complaint means for the user."""
        errors = [line[2:].strip() for line in complaint.splitlines() if line.startswith("E:")]
        text = (errors[0] if errors else complaint.strip()[-500:]).rstrip(".")
        if re.search(r"No space left|enough free space", complaint):
            return self._fault("The disk is full.", "Free 500 MB, or choose another folder with IVR_CACHE.")
        if re.search(r"NO_PUBKEY|not signed|signatures? (couldn't|could not|were invalid)|EXPKEYSIG", complaint):
            mend = "Update the machine's archive keyring package (debian-archive-keyring, ubuntu-keyring)."
            return self._fault(f"The mirror's signature can't be verified: {text}.", mend)
        if re.search(r"Could not (connect|resolve)|Temporary failure|Unable to connect|Failed to fetch", complaint):
            mend = f"Check the network and the proxy, then run it again: it goes on where it stopped. {self.instead}"
            return self._fault(f"The mirror {self.source.uris[0]} can't be reached: {text}.", mend)
        return self._fault(f"APT can't fetch {' '.join(self.packages)}: {text}.", self.instead)

    def _fault(self, what: str, mend: str) -> MachineError:
        return MachineError(Fault(what=what, where=self.into, mend=mend))


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
