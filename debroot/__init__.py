"""Debian packages unpacked into a folder, without root. Standard library only."""

from debroot.packages import Progress, Reporter, Root, cache_dir, fetch, opened
from debroot.sources import OWN, SID

__all__ = ["OWN", "SID", "Progress", "Reporter", "Root", "cache_dir", "fetch", "opened"]
