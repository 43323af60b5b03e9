"""Make a site: the folder with a retailer's settings, secrets, flows and texts. Never touches what is there already."""

from __future__ import annotations

import functools
import json
import os
import random
import re
import secrets
import shutil
import socket
import tomllib
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from pydantic import BaseModel, ValidationError

from faults import AuthorError, Fault, MachineError
from ivr.resources import resource_dir
from ivr.settings import TENANT_FILE, TENANTS, Settings, Site
from ivr.settings_files import load_site, told

_RTP_PORTS = 800
#: So many rows that a process drew last are kept from others, but no more than a sixth of all.
_HELD = 12

_TEXTS_README = """\
Sentences of your own, one file for each language: ru.yaml, uk.yaml, en.yaml. They win over the shipped ones, which

    ivr prompt list

shows with their keys. After a change: ivr flow check. What has no faults, callers hear within some seconds;
campaigns go on with what they were made with.
"""
_RECORDINGS_README = """\
Studio recordings (WAV): one with the key of a sentence for its name replaces the synthesis: ru/hotline.greeting.wav.
"""
_TENANT_SETTINGS = """
# Dialled numbers of this retailer, and the flow that answers each:
[hotline.numbers]
# "+74951234567" = "hotline"

# Where its flows may transfer to:
[destinations]
# operator = "+74957654321"

# As in ivr.toml: the defaults of its campaigns, and its voices.
[outbound]
[prompts]
"""
_GITIGNORE = "secrets.toml\nvar/\n"


def init_site(folder: Path, chosen: Mapping[str, object], *, trunk_secret: str = "") -> Site:
    """A new site in `folder`, with the settings `chosen` by dotted name ({"trunk.host": "10.0.0.1"}).

    A password in "database" goes to secrets.toml. Raises AuthorError for a folder that is not empty or a setting that
    does not fit, MachineError when it can't be written.
    """
    folder = folder.absolute()
    try:
        if folder.exists() and any(folder.iterdir()):
            what = "There is a site already." if (folder / "ivr.toml").exists() else "The folder is not empty."
            raise AuthorError(Fault(what=what, where=folder, mend="Choose a new folder: ivr init DIR."))
        chosen, database_password = _without_password(chosen)
        text = settings_text(chosen)
        _put_script(folder)
        (folder / "var").mkdir(exist_ok=True)
        # The journal holds people's numbers.
        (folder / "var").chmod(0o700)
        (folder / ".gitignore").write_text(_GITIGNORE, "utf-8")
        write_secrets(folder, trunk_secret=trunk_secret, database_password=database_password)
        (folder / "ivr.toml").write_text(text, "utf-8")
    except OSError as error:
        what = f"The site can't be written: {error.strerror or error}."
        raise MachineError(Fault(what=what, where=folder, mend="Check the folder's rights and free space.")) from error
    return load_site(folder)


def _put_script(folder: Path) -> None:
    """The shipped flows, and a place for texts and recordings. Raises OSError."""
    for name in ("dialplans", "prompts/texts", "prompts/recordings"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    flows = resource_dir("dialplans")
    # The schema lies beside the flows: their first line leads editors to it.
    for file in (*flows.glob("*.yaml"), flows / "flow.schema.json"):
        shutil.copyfile(file, folder / "dialplans" / file.name)
    (folder / "prompts/texts/README").write_text(_TEXTS_README, "utf-8")
    (folder / "prompts/recordings/README").write_text(_RECORDINGS_README, "utf-8")


def init_tenant(site: Site, name: str, *, title: str = "") -> Path:
    """The folder of another tenant in the site's, to begin from: shipped flows, and the settings that it may have.

    Raises AuthorError when it is there already, MachineError when it can't be written.
    """
    folder = site.folder / TENANTS / name
    own = site.settings
    try:
        if folder.exists():
            raise AuthorError(Fault(what="There is such a folder already.", where=folder, mend="See what is in it."))
        _put_script(folder)
        lines = {"title": title, "language": own.language, "timezone": own.timezone, "region": own.region}
        said = "".join(f"{key} = {toml(value)}\n" for key, value in lines.items())
        # Last: without it the folder is none of a tenant's yet.
        (folder / TENANT_FILE).write_text(said + _TENANT_SETTINGS, "utf-8")
    except OSError as error:
        what = f"The folder can't be written: {error.strerror or error}."
        raise MachineError(Fault(what=what, where=folder, mend="Check its rights and free space.")) from error
    return folder


def _without_password(chosen: Mapping[str, object]) -> tuple[Mapping[str, object], str]:
    """The settings without the database's password, and that."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(str(chosen.get("database", "")))
    except (ArgumentError, ValueError):
        return chosen, ""
    if url.password is None:
        return chosen, ""
    return {**chosen, "database": url._replace(password=None).render_as_string()}, str(url.password)


def write_secrets(folder: Path, *, trunk_secret: str = "", database_password: str = "") -> None:
    """The secrets.toml of a site, with a new ami_secret. Raises OSError."""
    private = folder / "secrets.toml"
    private.touch(0o600)
    private.write_text(
        "# Readable by its owner alone. ami_secret is between the engine and its Asterisk.\n"
        f"ami_secret = {toml(secrets.token_urlsafe(24))}\n# The operator's password for trunk.user.\n"
        f"trunk_secret = {toml(trunk_secret)}\n# The password of the role that database in ivr.toml names.\n"
        f"database_password = {toml(database_password)}\n",
        "utf-8",
    )


def settings_text(chosen: Mapping[str, object]) -> str:
    """The text of ivr.toml: chosen settings as lines, the others as comments with their default. Raises AuthorError."""
    given = dict(chosen)
    defaults = setting_defaults()
    required = {"trunk.host"} - given.keys()
    faults = [
        Fault(
            what=f"There is no setting {name!r}.",
            where=name,
            mend="See the comments of a site's ivr.toml for the names.",
        )
        for name in given
        if name not in defaults and not re.fullmatch(r"destinations\.[A-Za-z0-9_-]+", name)
    ]
    faults += [Fault(what=f"{name} is needed.", where=name, mend="Name the operator's address.") for name in required]
    if faults:
        raise AuthorError(faults)

    def setting(name: str) -> str:
        key = name.rpartition(".")[2]
        if name in given:
            return f"{key} = {toml(given[name])}"
        return f"# {key} = {toml(defaults[name])}"

    destinations = {name.partition(".")[2]: n for name, n in given.items() if name.startswith("destinations.")}
    text = _template().render(setting=setting, destinations=destinations)
    try:
        Settings.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise AuthorError(
            [
                Fault(what=f"{told(item)}.", where=".".join(map(str, item["loc"])), mend="Give another value.")
                for item in error.errors(include_url=False, include_input=False)
            ]
        ) from error
    return text


@functools.lru_cache(maxsize=1)
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - TOML, every value passes toml()
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["toml"] = toml
    return environment.from_string((Path(__file__).parent / "ivr.toml.j2").read_text("utf-8"))


def setting_defaults() -> dict[str, Any]:
    """Dotted name of each setting, as the file spells it -> its default; None for one without."""
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            for key, inner in annotation.model_fields.items():
                found[f"{name}.{inner.alias or key}"] = None if inner.is_required() else inner.get_default()
        elif name not in ("destinations", "trunks"):
            found[name] = field.get_default()
    return found


def toml(value: object) -> str:
    """`value` as TOML writes it. JSON's strings are TOML's, but for DEL."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(key), ensure_ascii=False)} = {toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def free_ports() -> dict[str, object]:
    """Settings with ports that are free at this moment, for a trial on a busy machine.

    A process is not given a port again before all the others had their turn: a site and its lab can ask
    one after the other and start later. Nor is another process on this machine given what this one drew last,
    unless it finds nothing else.
    """
    start = _free_row(_RTP_PORTS, 10000, 32000)
    sip, tls, ami, agi = (_free_row(1, 5200, 10000) for _ in range(4))
    return {
        "asterisk.sip_port": sip,
        "asterisk.tls_port": tls,
        "asterisk.ami_port": ami,
        "agi.port": agi,
        "asterisk.rtp_start": start,
        "asterisk.rtp_end": start + _RTP_PORTS - 1,
    }


def _free_row(length: int, first: int, end: int) -> int:
    """The first port of a row that nobody uses. `first` to `end` lies below those that the kernel gives away."""
    starts, held = _turns(length, first, end)
    while len(held) >= min(_HELD, len(starts) // 6):
        os.close(held.popleft())
    kept_by_others: int | None = None
    for _ in range(len(starts)):
        start = starts[0]
        starts.rotate(-1)
        if all(_is_free(kind, start + n) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM) for n in range(length)):
            try:
                held.append(_hold(start))
            except OSError:
                kept_by_others = start
            else:
                return start
    if kept_by_others is None:
        raise MachineError(Fault(what="This machine has too few free ports.", mend="Choose the ports yourself."))
    return kept_by_others


@functools.cache
def _turns(length: int, first: int, end: int) -> tuple[deque[int], deque[int]]:
    """First ports of all rows in this process's own order, the next one's turn first; and what it holds of them."""
    starts = list(range(first, end - length + 1, length))
    random.shuffle(starts)
    return deque(starts), deque()


def _hold(start: int) -> int:
    """Keep a row from other processes while the file descriptor is open. Raises OSError when another one holds it.

    Names that begin with NUL are in no folder: like the ports, they are the machine's, and they end with the process.
    """
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(f"\0ivr-ports-{start}")
        return holder.detach()


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - free on every address
        except OSError:
            return False
    return True


def parse_assignment(text: str) -> tuple[str, object]:
    """("outbound.channels", 50) from "outbound.channels=50"; the value is TOML, else a plain string."""
    name, equals, value = text.partition("=")
    if not equals:
        raise AuthorError(Fault(what=f"{text!r} sets nothing.", where="--set", mend="Write NAME=VALUE."))
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name.strip(), value
