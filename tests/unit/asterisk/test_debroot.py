"""The machine's APT sources in both formats, and which of them is the distribution's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import debroot
from debroot import opened, packages
from debroot.sources import (
    OWN,
    SID,
    Source,
    chosen_source,
    deb822,
    distribution_source,
    machine_sources,
    read_deb822,
    read_one_line,
)
from faults import MachineError

BOOKWORM = {"ID": "debian", "VERSION_CODENAME": "bookworm"}
NOBLE = {"ID": "ubuntu", "VERSION_CODENAME": "noble"}

DEB822 = """\
# the distribution
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
URIs: https://vendor.example/apt
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
"""

ONE_LINE = """\
# deb http://off.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.example/apt bookworm-pgdg main
deb http://mirror.example/debian bookworm main contrib # the distribution
deb cdrom:[Debian]/ bookworm main
"""


def test_deb822_stanzas() -> None:
    distribution, vendor = read_deb822(DEB822)
    assert distribution == Source(
        uris=("http://mirror.example/debian",),
        suites=("bookworm", "bookworm-updates"),
        components=("main",),
        signed_by="/usr/share/keyrings/debian-archive-keyring.gpg",
    )
    assert vendor.signed_by.splitlines()[1:3] == [" -----BEGIN PGP PUBLIC KEY BLOCK-----", " ."]


def test_a_key_within_the_sources_survives_being_written_again() -> None:
    vendor = read_deb822(DEB822)[1]
    assert read_deb822(deb822(vendor)) == [vendor]


def test_one_line_entries() -> None:
    sources = read_one_line(ONE_LINE)
    assert [source.uris[0] for source in sources][:2] == ["https://vendor.example/apt", "http://mirror.example/debian"]
    assert sources[0].signed_by == "/etc/apt/keyrings/vendor.gpg"
    assert sources[1].components == ("main", "contrib")


def test_the_distribution_is_told_from_vendors(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d" / "a.list.disabled").write_text("deb http://x.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "b.sources").write_text(DEB822)
    found = distribution_source(machine_sources(tmp_path), BOOKWORM)
    assert found is not None
    assert found.uris == ("http://mirror.example/debian",)


def test_a_machine_without_debian_has_no_source(tmp_path: Path) -> None:
    assert machine_sources(tmp_path) == ()
    assert distribution_source((), BOOKWORM) is None
    fedora = Source(uris=("http://x.example/fedora",), suites=("41",), components=("main",))
    assert distribution_source([fedora], {"ID": "fedora", "VERSION_CODENAME": ""}) is None


def test_debian_turns_to_sid_and_ubuntu_stays() -> None:
    source = Source(uris=("http://m.example/debian",), suites=("bookworm",), components=("main",))
    assert chosen_source(source, BOOKWORM, SID, ("main", "non-free")).suites == ("sid",)
    assert chosen_source(source, BOOKWORM, OWN, ("main",)).suites == ("bookworm",)
    ubuntu = Source(uris=("http://m.example/ubuntu",), suites=("noble", "noble-updates"), components=("main",))
    assert chosen_source(ubuntu, NOBLE, SID, ("main",)).suites == ("noble", "noble-updates")
    assert "universe" in chosen_source(ubuntu, NOBLE, SID, ("main",)).components


def test_a_root_is_there_only_with_its_manifest(tmp_path: Path) -> None:
    assert opened(tmp_path) is None
    (tmp_path / ".debroot.json").write_text("{torn")
    assert opened(tmp_path) is None
    (tmp_path / ".debroot.json").write_text(json.dumps({"architecture": "arm64", "versions": {"x": "1"}}))
    root = opened(tmp_path)
    assert root is not None
    library = tmp_path / "usr/lib/aarch64-linux-gnu"
    assert root.command("usr/bin/x") == (
        str(library / "ld-linux-aarch64.so.1"), "--library-path", str(library), str(tmp_path / "usr/bin/x"),
    )  # fmt: skip


def test_a_finished_root_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # nothing can be run
    root = tmp_path / "root"
    root.mkdir()
    (root / ".debroot.json").write_text(json.dumps({"architecture": "amd64", "versions": {"x": "1", "y": "2"}}))
    assert debroot.fetch(["x"], root).versions == {"x": "1", "y": "2"}


def test_off_debian_it_says_what_to_do_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match="no Debian or Ubuntu") as caught:
        debroot.fetch(["x"], tmp_path / "root", instead="Install x with dnf.")
    assert caught.value.faults[0].mend == "Install x with dnf."


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.delenv("IVR_CACHE", raising=False)
    assert debroot.cache_dir() == Path("/x/ivr")
    monkeypatch.setenv("IVR_CACHE", "/y")
    assert debroot.cache_dir() == Path("/y")


FAKE_APT = """\
#!/bin/sh
case "$*" in *update*) echo "$COMPLAINT" >&2; exit 100;; esac
"""


@pytest.mark.parametrize(
    ("complaint", "what", "mend"),
    [
        ("E: Failed to fetch http://m/ Temporary failure resolving 'm'", "can't be reached", "Check the network"),
        ("E: Write error - write (28: No space left on device)", "disk is full", "Free 500 MB"),
        ("W: GPG error: NO_PUBKEY 0E98404D\nE: The repository is not signed.", "signature", "keyring"),
        ("E: Unable to locate package asterisk", "Unable to locate package", "Install it with dnf"),
    ],
)
def test_apts_complaints_are_told_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaint: str, what: str, mend: str
) -> None:
    monkeypatch.setattr(packages, "machine_sources", lambda: read_deb822(DEB822))
    monkeypatch.setattr(packages, "os_release", lambda: BOOKWORM)
    for name, text in (("apt-get", FAKE_APT), ("dpkg", "#!/bin/sh\necho amd64\n"), ("dpkg-deb", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("COMPLAINT", complaint)
    with pytest.raises(MachineError) as caught:
        debroot.fetch(["asterisk"], tmp_path / "root", instead="Install it with dnf.")
    assert what in caught.value.faults[0].what
    assert mend in caught.value.faults[0].mend
    assert not (tmp_path / "root").exists()


def test_a_program_finds_the_libraries_that_packages_keep_in_a_folder_of_their_own(tmp_path: Path) -> None:
    root = debroot.Root(folder=tmp_path, architecture="amd64", versions={})
    for library in ("libpulse.so.0", "pulseaudio/libpulsecommon-16.1.so", "gconv/UTF-16.so"):
        (root.libraries / library).parent.mkdir(parents=True, exist_ok=True)
        (root.libraries / library).touch()
    _, _, path, program = root.command("usr/bin/espeak-ng")
    assert path.split(":") == [str(root.libraries), str(root.libraries / "pulseaudio")]
    assert program == str(tmp_path / "usr/bin/espeak-ng")
