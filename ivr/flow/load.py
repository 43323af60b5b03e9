"""Files of flows -> flows, checked as a whole before any call. An edge: it reads the files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from faults import AuthorError, Fault
from ivr.flow.check import check_flow
from ivr.flow.model import Flow
from ivr.flow.parse import parse_flow
from ivr.flow.source import read_yaml
from prompts.sentences import Sentences


def check_flow_file(
    path: Path, sentences: Sentences, destinations: Collection[str] | None = None
) -> tuple[Flow | None, list[Fault]]:
    """The flow in one file, or None and every fault by line.

    Transfers are only held against `destinations` when these are given.
    """
    root, faults = read_yaml(path)
    if root is None:
        return None, faults
    parsed, faults = parse_flow(path, root)
    if parsed is None:
        return None, faults
    faults += check_flow(parsed, sentences, destinations)
    return None if faults else parsed.flow, sorted(faults, key=lambda fault: (str(fault.where), fault.line or 0))


def check_flow_files(
    paths: Collection[Path], sentences: Sentences, destinations: Collection[str] | None = None
) -> tuple[dict[str, Flow], list[Fault]]:
    """The good flows by name, and every fault of every file; two flows of one name are a fault of the second."""
    flows: dict[str, Flow] = {}
    origins: dict[str, Path] = {}
    faults: list[Fault] = []
    for path in paths:
        flow, found = check_flow_file(path, sentences, destinations)
        faults += found
        if flow is None:
            continue
        if flow.name in flows:
            what = f"The flow {flow.name} is also in {origins[flow.name].name}."
            faults.append(Fault(what=what, mend="Give one of them another name.", where=path, line=1))
        else:
            flows[flow.name], origins[flow.name] = flow, path
    return flows, faults


def flow_files(folder: Path) -> list[Path]:
    """The flows of a folder, sorted by name."""
    return sorted(path for path in folder.glob("*.y*ml") if path.suffix in (".yaml", ".yml"))


def load_flows(folder: Path, sentences: Sentences, destinations: Collection[str] | None = None) -> dict[str, Flow]:
    """The flows of `folder` by name. Raises AuthorError with every fault of every file."""
    paths = flow_files(folder)
    if not paths:
        raise AuthorError(
            Fault(
                what="There is no call flow.",
                where=folder,
                mend="Copy one from the shipped dialplans/, or run: ivr init.",
            )
        )
    flows, faults = check_flow_files(paths, sentences, destinations)
    if faults:
        raise AuthorError(faults)
    return flows
