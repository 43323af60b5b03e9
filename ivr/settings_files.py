"""Read ivr.toml and secrets.toml of a site folder, and tenant.toml: each is checked as a whole.

Every fault has its place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from faults import AuthorError, Fault
from ivr.settings import TENANT_FILE, TENANTS, Secrets, Settings, Site, TenantSettings
from prompts.files import read_text

_MISSING = {
    "ivr.toml": "Copy one of another site, or make a new site with: ivr init DIR.",
    "secrets.toml": 'Write it anew, for your eyes only (chmod 600): ami_secret = "a long random word".',
}
_MISSING_TENANT = "Write one, empty at first, or make the folder anew with: ivr tenant add NAME --folder."


#: The file that ivr init makes has 6 kB.
_MAX_BYTES = 64 * 1024
#: tomllib needs time by the square of a dotted name's length.
_LONGEST_NAME = 1000


_Model = TypeVar("_Model", Settings, Secrets, TenantSettings)


def _read(path: Path, model: type[_Model]) -> tuple[_Model | None, list[Fault]]:
    try:
        text = read_text(path, at_most=_MAX_BYTES)
        for number, written in enumerate(text.split("\n"), 1):
            name, equals, _ = written.partition("=")
            if equals and len(name) > _LONGEST_NAME:
                what = f"There is no setting whose name has more than {_LONGEST_NAME} letters."
                return None, [Fault(what=what, where=path, line=number, mend="Write settings as: name = 5.")]
        return model.model_validate(tomllib.loads(text)), []
    except FileNotFoundError:
        return None, [Fault(what="The file is missing.", where=path, mend=_MISSING.get(path.name, _MISSING_TENANT))]
    except OSError as error:
        what = f"The file can't be read: {error.strerror}."
        return None, [Fault(what=what, where=path, mend="Check its rights, and that --site names a site's folder.")]
    except UnicodeDecodeError:
        return None, [Fault(what="The file is not UTF-8 text.", where=path, mend="Save it as UTF-8.")]
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        line = re.search(r"at line (\d+)", said)
        what = f"This is no TOML: {said[0].lower()}{said[1:]}."
        number = int(line[1]) if line else text.count("\n") + 1
        return None, [Fault(what=what, where=path, line=number, mend='Write settings as: name = "text" or name = 5.')]
    except RecursionError:
        mend = "Write a setting as one value; the comments of the file that ivr init makes show each."
        return None, [Fault(what="This is no TOML: it is nested too deeply.", where=path, mend=mend)]
    except ValidationError as error:
        return None, [_fault(path, text, item) for item in error.errors(include_url=False, include_input=False)]
    except ValueError:
        # What int() says of thousands of digits, which tomllib lets through.
        digits = re.search(r"\d[\d_]{4000,}", text)
        place = text.count("\n", 0, digits.start()) + 1 if digits else None
        mend = "Write a number of a few digits."
        return None, [Fault(what="This is no TOML: a number is too large for it.", where=path, line=place, mend=mend)]


def _fault(path: Path, text: str, item: ErrorDetails) -> Fault:
    names = tuple(map(str, item["loc"]))
    name, line = ".".join(names), _line_of(text, names)
    if item["type"] == "extra_forbidden":
        mend = "Remove it or correct its spelling."
        return Fault(what=f"There is no setting {name}.", where=path, line=line, mend=mend)
    if item["type"] == "missing":
        return Fault(what=f"{name} is missing.", where=path, line=line, mend="Write it there; ivr init shows how.")
    what = told(item)
    mend = 'Put it in quotes: "…".' if item["type"] == "string_type" else "Give another value."
    return Fault(what=f"{name}: {what}.", where=path, line=line, mend=mend)


def told(item: ErrorDetails) -> str:
    """What is wrong with a value, in a sentence that its name begins."""
    return item["msg"].removeprefix("Value error, ").removeprefix("Input ")


def _line_of(text: str, names: tuple[str, ...]) -> int | None:
    """1-based line of a setting; of the nearest table above it when it has none of its own."""
    found, table = None, ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
            table = header[1]
            if table == ".".join(names):
                return number
            if table == ".".join(names[:-1]):
                found = number
        elif key := re.match(r"\s*([^\s=#]+)\s*=", line):
            written = (*table.split("."), key[1]) if table else (key[1],)
            if written == names[: len(written)]:
                return number
    return found


def load_site(folder: Path) -> Site:
    """The site in `folder`. Raises AuthorError with every fault of both files."""
    folder = folder.resolve()
    if not any((folder / name).exists() for name in _MISSING):
        mend = "Go to a site's folder, or name it with --site DIR; a new one is made by: ivr init DIR."
        raise AuthorError(Fault(what="There is no site here.", where=folder, mend=mend))
    settings, faults = _read(folder / "ivr.toml", Settings)
    secrets, more = _read(folder / "secrets.toml", Secrets)
    if settings is None or secrets is None:
        raise AuthorError(faults + more)
    if not secrets.trunk_secret.get_secret_value():
        secrets = secrets.model_copy(update={"trunk_secret": settings.trunk.secret})
    beside = {name: each.secret for name, each in settings.trunks.items() if each.secret.get_secret_value()}
    secrets = secrets.model_copy(update={"trunk_secrets": beside | secrets.trunk_secrets})
    return Site(folder=folder, settings=settings, secrets=secrets)


def load_tenant(folder: Path) -> TenantSettings:
    """What the tenant.toml in a tenant's folder says. Raises AuthorError with every fault of it."""
    settings, faults = _read(folder / TENANT_FILE, TenantSettings)
    if settings is None:
        raise AuthorError(faults)
    return settings


def tenant_folders(site: Site) -> Mapping[str, Path]:
    """The folders of a site's other tenants, by name; a name may be none that a tenant can have."""
    try:
        found = sorted(path for path in (site.folder / TENANTS).iterdir() if path.is_dir())
    except OSError:
        return {}
    return {path.name: path for path in found if not path.name.startswith(".")}
