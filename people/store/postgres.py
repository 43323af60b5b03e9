"""A PostgreSQL that lives as long as a `with` block, for tests and the demo: without root, in a folder of its own.

The machine's own binaries are preferred, else Debian's are fetched and unpacked. It listens on a Unix socket alone and
asks everybody for a password. What runs in production is kept by whoever keeps databases: nothing here is for that.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy.engine import URL

import debroot
from faults import Fault, MachineError

#: The oldest whose releases are still mended.
OLDEST_MAJOR = 14
SUPERUSER = "postgres"

#: PostgreSQL refuses to run as root; root runs it as the first of these that the machine has.
_ACCOUNTS = ("postgres", "nobody")
#: Signals that end a postmaster, each harder than the one before, and how long one may take.
_ENDING = ((signal.SIGINT, 15.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
_READY_S = 30.0
_LOOK_AGAIN_S = 0.02
#: Of postmaster.pid, as pg_ctl reads it.
_STATUS_LINE = 7
#: Parts of the C library, which only the machine's own loader fits to.
_C_LIBRARY = re.compile(r"(ld-linux.*|lib(c|m|dl|rt|pthread|resolv|util|mvec))\.so\b.*")
_INSTEAD = f"Or install PostgreSQL {OLDEST_MAJOR} or newer with your system's own package manager."


@dataclass(frozen=True, kw_only=True)
class Program:
    """A PostgreSQL that can be started."""

    kind: Literal["system", "fetched"]
    #: Holds initdb and postgres.
    folder: Path
    major: int
    #: Where fetched programs and their libraries were unpacked.
    root: debroot.Root | None = None


def system_program() -> Program | None:
    """The machine's own, the newest of several; None when it is too old, or there is none."""
    # Debian keeps the server out of the PATH.
    folders = _newest_first(Path("/usr/lib/postgresql"))
    if (path := shutil.which("postgres")) is not None:
        folders.append(Path(path).resolve().parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            program = Program(kind="system", folder=folder, major=_major(folder))
            if program.major >= OLDEST_MAJOR:
                return program
    return None


def fetched_program(progress: debroot.Reporter | None = None) -> Program:
    """Debian's of the machine's own suite, fetched without root unless it is there. Raises MachineError."""
    # Its programs run on the machine's C library, so they are of the machine's suite.
    into = debroot.cache_dir() / "postgresql"
    root = debroot.fetch(["postgresql"], into, suite=debroot.OWN, progress=progress, instead=_INSTEAD)
    folders = _newest_first(root.folder / "usr/lib/postgresql")
    if not folders:
        what = "The fetched PostgreSQL is incomplete."
        raise MachineError(Fault(what=what, where=into, mend="Remove the folder and try again."))
    return Program(kind="fetched", folder=folders[0], major=int(folders[0].parent.name), root=root)


def find(progress: debroot.Reporter | None = None) -> Program:
    """The machine's own PostgreSQL, else the fetched one. Raises MachineError."""
    return system_program() or fetched_program(progress)


def _newest_first(versions: Path) -> list[Path]:
    numbered = [path for path in versions.glob("*/bin") if path.parent.name.isdecimal()]
    return sorted(numbered, key=lambda path: int(path.parent.name), reverse=True)


def _major(folder: Path) -> int:
    shown = subprocess.run([folder / "postgres", "-V"], check=False, capture_output=True, text=True, timeout=20)
    found = re.search(r"(\d+)", shown.stdout)
    return int(found[1]) if found else 0


@contextmanager
def running(program: Program, *, durable: bool = True) -> Iterator[Cluster]:
    """A started cluster, in a folder that is gone after the block. Call it in a thread that lives as long as that.

    Without `durable` it is quicker, and a power cut would cost it. Raises MachineError.
    """
    account = _account()
    with ExitStack() as ending:
        try:
            folder = Path(tempfile.mkdtemp(prefix="ivr-postgres-", dir=_place(account)))
            ending.callback(shutil.rmtree, folder)
            if account is not None:
                # It may pass, and change nothing of what we write here.
                os.chown(folder, -1, account.pw_gid)
                folder.chmod(0o710)
            cluster = Cluster(folder, _reachable(program, folder), account, durable=durable)
            ending.callback(cluster.stop)
            cluster.initialise()
            cluster.start()
        except (OSError, subprocess.SubprocessError) as error:
            what = f"PostgreSQL can't be run in a folder of its own: {error}."
            mend = "Check the temporary folder's rights and free space (200 MB), or be another user than root."
            raise MachineError(Fault(what=what, mend=mend)) from error
        yield cluster


def _account() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as; None: who we are."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    what = f"PostgreSQL does not run as root, and there is no user {' or '.join(_ACCOUNTS)} here."
    raise MachineError(Fault(what=what, mend="Add one (useradd --system postgres), or be another user than root."))


def _place(account: pwd.struct_passwd | None) -> Path:
    """A folder for temporary files that `account` can get to as its parents' rights are. Raises MachineError."""
    first = Path(tempfile.gettempdir())
    if account is None:
        return first
    places = (first, Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - a folder of its own is made there
    for place in places:
        if all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents) if folder.exists()):
            return place
    what = f"The user {account.pw_name}, as whom PostgreSQL has to run, gets to no folder for temporary files."
    raise MachineError(Fault(what=what, where=first, mend="Name one with TMPDIR, or be another user than root."))


def _reachable(program: Program, folder: Path) -> Installation:
    """The program where everybody can run it: the cache lies in a home, which others can't enter."""
    if program.root is None:
        return Installation(bin=program.folder, libraries=None)
    root = program.root.folder
    own = folder / "program"
    version = program.folder.parent.relative_to(root)
    share = Path("usr/share/postgresql") / version.name
    # Compiling queries takes a library of 110 MB.
    shutil.copytree(root / version, own / version, ignore=shutil.ignore_patterns("llvmjit*", "bitcode"))
    shutil.copytree(root / share, own / share)
    libraries = own / "libraries"
    libraries.mkdir()
    for name in ("initdb", "postgres"):
        for library in libraries_of(program.root, version / "bin" / name):
            shutil.copy(library, libraries)
    for each in (own, *own.rglob("*")):
        if each.is_dir():
            each.chmod(0o755)
    return Installation(bin=own / version / "bin", libraries=libraries)


def libraries_of(root: debroot.Root, program: Path) -> list[Path]:
    """What `program` loads of the root's libraries, but for those that belong to the C library."""
    command = root.command(str(program))
    listed = subprocess.run(
        [*command[:-1], "--list", command[-1]], check=True, capture_output=True, text=True, timeout=20
    )
    # The loader's own line begins with an absolute name.
    found = map(Path, re.findall(r"^\s*\S+ => (/\S+) \(", listed.stdout, re.M))
    return [path for path in found if path.is_relative_to(root.folder) and not _C_LIBRARY.fullmatch(path.name)]


@dataclass(frozen=True, kw_only=True)
class Installation:
    bin: Path
    #: None: the machine's own.
    libraries: Path | None

    @property
    def environment(self) -> Mapping[str, str]:
        # The C library's own words, and nothing of what another PostgreSQL is found by (PGDATA, PGPORT).
        kept = {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}
        return kept if self.libraries is None else kept | {"LD_LIBRARY_PATH": str(self.libraries)}


class Cluster:
    """May be stopped and started again."""

    def __init__(
        self, folder: Path, installation: Installation, account: pwd.struct_passwd | None, *, durable: bool
    ) -> None:
        self._folder = folder
        self._installation = installation
        self._account = account
        self._durable = durable
        self._password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the server says."""
        return self._folder / "log"

    @property
    def pid(self) -> int | None:
        """Of the server; None while it is stopped."""
        return None if self._process is None else self._process.pid

    def url(self, database: str = "postgres", *, user: str = SUPERUSER, password: str | None = None) -> str:
        """What `open_database` takes, with the password in it."""
        secret = self._password if password is None else password
        query = {"host": str(self.sockets)}
        url = URL.create("postgresql+asyncpg", username=user, password=secret, database=database, query=query)
        return url.render_as_string(hide_password=False)

    def initialise(self) -> None:
        """Make the files of an empty cluster. Raises MachineError."""
        self.sockets.mkdir(0o700)
        if self._account is not None:
            os.chown(self.sockets, self._account.pw_uid, self._account.pw_gid)
        word = self._folder / "password"
        word.touch(0o600)
        word.write_text(self._password, "ascii")
        if self._account is not None:
            os.chown(word, self._account.pw_uid, self._account.pw_gid)
        command = self._command(
            "initdb",
            f"--pgdata={self._data}",
            f"--username={SUPERUSER}",
            f"--pwfile={word}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        made = subprocess.run(command, check=False, capture_output=True, text=True, **self._surroundings())
        word.unlink()
        if made.returncode:
            raise self._fault(made.stderr or made.stdout)

    def start(self) -> None:
        """Returns when it takes connections. Raises MachineError."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.sockets),
            "shared_buffers": "32MB",
            "timezone": "UTC",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off", "wal_level": "minimal", "max_wal_senders": "0"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", str(self._data), *options),
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C at the terminal is for us, who stop it then.
                start_new_session=True,
                **self._surroundings(),
            )
        deadline_s = time.monotonic() + _READY_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                raise self._fault(self.log.read_text("utf-8", "replace"))
            time.sleep(_LOOK_AGAIN_S)

    def stop(self) -> None:
        """Returns when it is gone: its connections are ended, what is written stays."""
        process, self._process = self._process, None
        for number, patience_s in _ENDING:
            if process is None or process.poll() is not None:
                return
            process.send_signal(number)
            try:
                process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue

    @property
    def sockets(self) -> Path:
        """All that is the server's own, and where it is connected to."""
        return self._folder / "own"

    @property
    def _data(self) -> Path:
        return self.sockets / "data"

    def _command(self, program: str, *arguments: str) -> list[str]:
        """It ends when the thread that starts it does, killed or not, and never gains rights."""
        become = ["setpriv", "--pdeathsig=INT", "--no-new-privs"]
        if self._account is not None:
            become += [f"--reuid={self._account.pw_uid}", f"--regid={self._account.pw_gid}", "--clear-groups"]
        return [*become, "--", str(self._installation.bin / program), *arguments]

    def _surroundings(self) -> dict[str, Any]:
        return {"stdin": subprocess.DEVNULL, "cwd": self._folder, "env": self._installation.environment}

    def _ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text("ascii").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    def _fault(self, said: str) -> MachineError:
        last = " ".join(said.strip().splitlines()[-3:])
        what = f"PostgreSQL does not start: {last or 'it says nothing'}."
        mend = "Mend what it says. As root it needs the right to change the user (CAP_SETUID), or be another user."
        return MachineError(Fault(what=what, where=self._folder, mend=mend))
