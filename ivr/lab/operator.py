"""The lab as the operator that one site's trunk leads to: on its port, with its name and password."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from faults import AuthorError, Fault
from ivr.asterisk.program import Program
from ivr.lab.lab import Lab
from ivr.lab.subscribers import Subscriber
from ivr.settings import Site

_LOOPBACK = ("127.0.0.1", "localhost")


def lab_folder(site: Site) -> Path:
    """Where the site's lab is, and its record."""
    return site.var / "lab"


def operator_of(
    site: Site,
    subscribers: Sequence[Subscriber],
    *,
    rtp: tuple[int, int],
    sip_port: int = 0,
    program: Program | None = None,
) -> Lab:
    """A lab for the site, not started. `rtp` is its first and last port of audio; `sip_port` 0: the trunk's port.

    Raises AuthorError when the trunk leads to somebody else, or both would share ports.
    """
    trunk, asterisk = site.settings.trunk, site.settings.asterisk
    if trunk.host not in _LOOPBACK:
        what = f"The site's trunk leads to {trunk.host}, not to a lab on this machine."
        mend = 'For a trial, set host = "127.0.0.1" in [trunk].'
        raise AuthorError(Fault(what=what, where=site.folder / "ivr.toml", mend=mend))
    if asterisk.rtp_start <= rtp[1] and rtp[0] <= asterisk.rtp_end:
        mend = f"Choose ports outside {asterisk.rtp_start}-{asterisk.rtp_end}."
        raise AuthorError(Fault(what="The lab and the site would share ports for audio.", where="rtp", mend=mend))
    site_host = "127.0.0.1" if asterisk.sip_host == "0.0.0.0" else asterisk.sip_host  # noqa: S104 - only compared
    return Lab(
        lab_folder(site),
        subscribers,
        site_sip=(site_host, asterisk.sip_port),
        sip_port=sip_port or trunk.port,
        rtp=rtp,
        credentials=(trunk.user, site.secrets.trunk_secret.get_secret_value()) if trunk.user else None,
        transport=trunk.transport,
        program=program,
    )
