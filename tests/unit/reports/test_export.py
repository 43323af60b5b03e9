from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reports
from reports.export import render_csv, render_json
from reports.figures import Report
from tests.unit.reports.example import example
from tests.unit.reports.rows import Rows, report_of

SCHEMA = json.loads((Path(reports.__file__).parent / "report.schema.json").read_text("utf-8"))

KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


@pytest.fixture
async def report() -> Report:
    return await report_of(example(), campaign="sony-tv-15")


def check(value: Any, schema: dict[str, Any], where: str = "report") -> None:
    """As much of JSON Schema as report.schema.json uses; keys that it does not know fail."""
    if "$ref" in schema:
        check(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], where)
        return
    allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(isinstance(value, KINDS[name]) for name in allowed), where
    if isinstance(value, dict) and "properties" in schema:
        assert set(value) == set(schema["required"]) == set(schema["properties"]), where
        for key, item in value.items():
            check(item, schema["properties"][key], f"{where}.{key}")
    elif isinstance(value, dict):
        for key, item in value.items():
            check(item, schema["additionalProperties"], f"{where}.{key}")
    elif isinstance(value, list):
        for item in value:
            check(item, schema["items"], f"{where}[]")


async def test_json_is_as_the_schema_says(report: Report) -> None:
    data = json.loads(render_json(report))
    check(data, SCHEMA)
    assert data["schema"] == 1
    assert data["inconsistent"] == []
    assert data["reached"]["numerator"] == report.reached.part
    assert data["reached"]["low"] < data["reached"]["share"] < data["reached"]["high"]
    assert data["hours"]["12"]["reached"] == report.hours[12].reached
    assert "2026-11-20" in data["dates"]


async def test_json_of_nothing_is_valid_and_has_nulls() -> None:
    rows = Rows()
    rows.campaign()
    data = json.loads(render_json(await report_of(rows)))
    check(data, SCHEMA)
    assert data["listened"] == {"numerator": 0, "denominator": 0, "share": None, "low": None, "high": None}


def cells(text: str, delimiter: str) -> dict[str, list[str]]:
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=delimiter))
    assert rows[0] == ["metric", "numerator", "denominator", "share", "low", "high"]
    assert all(len(row) == 6 for row in rows)
    assert len({row[0] for row in rows}) == len(rows)
    return {row[0]: row[1:] for row in rows}


async def test_csv_has_every_figure_once_in_the_spreadsheets_own_form(report: Report) -> None:
    english, russian = cells(render_csv(report, "en"), ","), cells(render_csv(report, "ru"), ";")
    assert list(english) == list(russian)
    part, whole, share, low, high = english["listened"]
    assert (int(part), int(whole)) == (report.listened.part, report.listened.whole)
    assert float(low) < float(share) < float(high)
    assert russian["listened"][2] == share.replace(".", ",")
    assert {"retention.0", "heard.100", "key.offer_menu.1.follow_up", "hour.12.answered", "attempts.human"} <= set(
        english
    )


async def test_csv_of_nothing_leaves_shares_empty() -> None:
    rows = Rows()
    rows.campaign()
    assert cells(render_csv(await report_of(rows), "en"), ",")["reached"] == ["0", "0", "", "", ""]


@pytest.mark.parametrize("name", ["=1+1", "+7", "-2", "@SUM(A1)", "\tx"])
async def test_csv_holds_no_formula(report: Report, name: str) -> None:
    assert cells(render_csv(replace(report, campaign=name), "ru"), ";")["campaign"][0] == "'" + name
