"""Statements as pictures and workbooks: the numbers stand in them exactly, to be read by eyes, by machines and aloud."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from decimal import Decimal
from xml.etree import ElementTree

from charter.engine.model import DATE, MONEY, NUMBER
from charter.engine.pictures import COLORS, HEIGHT, drawn_as_svg
from charter.engine.statement_definitions import Picture
from charter.engine.statement_reports import Block, Column, Report, Row
from charter.engine.workbooks import as_workbook

SVG = "{http://www.w3.org/2000/svg}"
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
COLUMNS = (Column("in", "Inflow <all>", MONEY), Column("out", "Outflow", MONEY), Column("net", "Net", MONEY),
           Column("on", "Due", DATE), Column("rate", "Rate", NUMBER, "percent"))  # fmt: skip


def row(key: str, inflow: str, outflow: str, net: str, due: str | None = None) -> Row:
    return Row(key, (key,), (Decimal(inflow), Decimal(outflow), Decimal(net), due, Decimal("0.125")))


DRAWN = Report(
    "flow", "Flow & more", "What comes and goes.", (("as_of", "2026-03-31"),), ("Month",), "", COLUMNS,
    (Block("", "", "EUR", 2, (row("2026-01", "1200.50", "200", "1000.50", "2026-01-31"), row("2026-02", "0", "1800.25", "-1800.25")),
           Row("", ("Total",), (Decimal("1200.50"), Decimal("2000.25"), Decimal("-799.75"), None, None))),), (),
)  # fmt: skip
HOW = Picture(("in", "out"), ("net",))


def values(drawing: ElementTree.Element, kind: str) -> dict[tuple[str, str], str]:
    """By figure and line the values that the shapes of a kind carry."""
    found = (e for e in drawing.iter(f"{SVG}{kind}") if "data-value" in e.attrib)
    return {(e.attrib["data-figure"], e.attrib["data-line"]): e.attrib["data-value"] for e in found}


def test_every_bar_and_point_carries_its_exact_value() -> None:
    drawing = ElementTree.fromstring(drawn_as_svg(DRAWN, HOW, False))
    assert values(drawing, "rect") == {
        ("in", "2026-01"): "1200.5", ("in", "2026-02"): "0", ("out", "2026-01"): "200", ("out", "2026-02"): "1800.25",
    }  # fmt: skip
    assert values(drawing, "circle") == {("net", "2026-01"): "1000.5", ("net", "2026-02"): "-1800.25"}


def test_lengths_are_in_proportion_and_what_is_below_zero_hangs_below_the_line() -> None:
    drawing = ElementTree.fromstring(drawn_as_svg(DRAWN, HOW, False))
    bars = {
        (e.attrib["data-figure"], e.attrib["data-line"]): e.attrib
        for e in drawing.iter(f"{SVG}rect")
        if "data-value" in e.attrib
    }
    tall, small = bars["in", "2026-01"], bars["out", "2026-01"]
    assert abs(float(tall["height"]) / float(small["height"]) - 1200.5 / 200) < 0.05
    zero = float(tall["y"]) + float(tall["height"])
    below = next(e for e in drawing.iter(f"{SVG}circle") if e.attrib["data-value"] == "-1800.25")
    assert zero < float(below.attrib["cy"]) < HEIGHT
    assert abs(float(small["y"]) + float(small["height"]) - zero) < 0.2


def test_it_says_in_words_what_it_shows() -> None:
    drawing = ElementTree.fromstring(drawn_as_svg(DRAWN, HOW, False))
    assert drawing.attrib["role"] == "img"
    assert [drawing.findtext(f"{SVG}{tag}") for tag in ("title", "desc")] == [
        "Flow & more: as_of 2026-03-31",
        "What comes and goes.",
    ]
    texts = [e.text for e in drawing.iter(f"{SVG}text")]
    assert {"EUR", "Month", "Inflow <all>", "Outflow", "Net", "2026-01", "2026-02", "0", "-2,000", "1,000"} <= set(
        texts
    )
    tips = [e.text for e in drawing.iter(f"{SVG}title")]
    assert "2026-02, Net: -1,800.25 EUR" in tips
    assert len({COLORS[i] for i in range(3)}) == 3


def test_figures_may_be_rows_and_each_table_has_a_panel() -> None:
    rows = tuple(
        Row(name, (title,), tuple(Decimal(n) for n in numbers), MONEY)
        for name, title, numbers in (("in", "Inflow", (1, 2, 3)), ("net", "Net", (-1, -2, -3)))
    )
    columns = (Column("2026-01", "2026-01", None), Column("2026-02", "2026-02", None), Column("total", "Total", None))
    blocks = tuple(Block(key, key, None, 2, rows, None) for key in ("A", "B"))
    drawing = ElementTree.fromstring(
        drawn_as_svg(replace(DRAWN, per="Project", columns=columns, blocks=blocks), HOW, True)
    )
    assert drawing.attrib["height"] == str(2 * HEIGHT)
    assert values(drawing, "rect") == {("in", "2026-01"): "1", ("in", "2026-02"): "2"}
    assert {"Project A", "Project B"} <= {e.text for e in drawing.iter(f"{SVG}text")}


def test_a_statement_of_nothing_is_a_picture_of_nothing() -> None:
    empty = replace(DRAWN, blocks=(Block("", "", None, 2, (), None),))
    assert values(ElementTree.fromstring(drawn_as_svg(empty, HOW, False)), "rect") == {}


def cells(book: bytes) -> dict[str, tuple[str, str, str]]:
    """By place the type, value and number format of the cells of a workbook, read from its parts."""
    parts = zipfile.ZipFile(io.BytesIO(book))
    texts = [
        "".join(t.text or "" for t in e.iter(f"{SHEET}t"))
        for e in ElementTree.fromstring(parts.read("xl/sharedStrings.xml"))
    ]
    styles = ElementTree.fromstring(parts.read("xl/styles.xml"))
    forms = {e.attrib["numFmtId"]: e.attrib["formatCode"] for e in styles.iter(f"{SHEET}numFmt")}
    used = [forms.get(e.attrib["numFmtId"], "") for e in next(styles.iter(f"{SHEET}cellXfs"))]
    found = {}
    for cell in ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml")).iter(f"{SHEET}c"):
        kind, value = cell.attrib.get("t", "n"), cell.findtext(f"{SHEET}v") or ""
        found[cell.attrib["r"]] = (
            kind,
            texts[int(value)] if kind == "s" else value,
            used[int(cell.attrib.get("s", 0))],
        )
    return found


def test_a_workbook_has_amounts_as_numbers_and_dates_as_dates() -> None:
    found = cells(as_workbook(DRAWN, "2026-04-01T09:00:00"))
    assert found["A1"][1] == "Flow & more"
    assert (found["A2"][1], found["B2"][1]) == ("as_of", "2026-03-31")
    assert [found[place][1] for place in ("A5", "B5", "E5")] == ["Month", "Inflow <all>", "Due"]
    assert found["B6"] == ("n", "1200.50", '#,##0.00 "EUR"')
    assert found["D7"] == ("n", "-1800.25", '#,##0.00 "EUR"')
    assert found["E6"] == ("n", "46053", "yyyy-mm-dd")
    assert found["F6"][1:] == ("0.125", "0.0%")
    assert (found["A8"][1], found["C8"][1]) == ("Total", "2000.25")


def test_what_a_spreadsheet_would_round_is_written_as_text() -> None:
    block = replace(DRAWN.blocks[0], rows=(row("2026-01", "123456789012345.67", "1", "1"),))
    assert cells(as_workbook(replace(DRAWN, blocks=(block,)), "2026-04-01T09:00:00"))["B6"][:2] == (
        "s",
        "123456789012345.67",
    )
