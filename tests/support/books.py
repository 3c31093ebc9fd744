"""Workbooks as spreadsheets write them, by hand: no library for writing them is installed."""

import datetime as dt
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

Sheets = dict[str, list[list[str | float | dt.datetime | None]]]

OFFICE = "http://schemas.openxmlformats.org"
RELATIONS = f"{OFFICE}/officeDocument/2006/relationships"
PACKAGE = f"{OFFICE}/package/2006"
MAIN = f'xmlns="{OFFICE}/spreadsheetml/2006/main"'
TYPES = (
    f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)


def write_xlsx(path: Path, sheets: Sheets) -> None:
    """Writes a workbook of Excel; times are numbers with a date format, as Excel stores them."""
    links = {f"s{index}": ("worksheet", f"worksheets/s{index}.xml") for index in range(len(sheets))}
    links["styles"] = ("styles", "styles.xml")
    names = "".join(
        f'<sheet name="{name}" sheetId="{index + 1}" r:id="s{index}"/>' for index, name in enumerate(sheets)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", TYPES)
        book.writestr("_rels/.rels", _relations({"book": ("officeDocument", "xl/workbook.xml")}))
        book.writestr("xl/_rels/workbook.xml.rels", _relations(links))
        book.writestr(
            "xl/styles.xml", f'<styleSheet {MAIN}><cellXfs><xf/><xf numFmtId="22"/></cellXfs></styleSheet>'
        )
        book.writestr(
            "xl/workbook.xml", f'<workbook {MAIN} xmlns:r="{RELATIONS}"><sheets>{names}</sheets></workbook>'
        )
        for index, rows in enumerate(sheets.values()):
            cells = "".join(f"<row>{''.join(map(_xlsx_cell, row))}</row>" for row in rows)
            book.writestr(
                f"xl/worksheets/s{index}.xml", f"<worksheet {MAIN}><sheetData>{cells}</sheetData></worksheet>"
            )


def _relations(links: dict[str, tuple[str, str]]) -> str:
    parts = (
        f'<Relationship Id="{name}" Type="{RELATIONS}/{kind}" Target="{target}"/>'
        for name, (kind, target) in links.items()
    )
    return f'<Relationships xmlns="{PACKAGE}/relationships">{"".join(parts)}</Relationships>'


def _xlsx_cell(value: str | float | dt.datetime | None) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, dt.datetime):
        return f'<c s="1"><v>{(value - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1)!r}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def write_ods(path: Path, sheets: Sheets) -> None:
    """Writes a workbook of LibreOffice."""
    office = "urn:oasis:names:tc:opendocument:xmlns"
    tables = "".join(
        f'<table:table table:name="{name}">'
        + "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        kind = "application/vnd.oasis.opendocument.spreadsheet"
        book.writestr("mimetype", kind, zipfile.ZIP_STORED)
        book.writestr(
            "META-INF/manifest.xml",
            f'<m:manifest xmlns:m="{office}:manifest:1.0">'
            f'<m:file-entry m:full-path="/" m:media-type="{kind}"/>'
            '<m:file-entry m:full-path="content.xml" m:media-type="text/xml"/></m:manifest>',
        )
        book.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{office}:office:1.0" xmlns:table="{office}:table:1.0"'
            f' xmlns:text="{office}:text:1.0"><office:body><office:spreadsheet>{tables}</office:spreadsheet>'
            "</office:body></office:document-content>",
        )


def _ods_cell(value: str | float | dt.datetime | None) -> str:
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, dt.datetime):
        kind = f'office:value-type="date" office:date-value="{value.isoformat()}"'
    elif isinstance(value, str):
        kind = 'office:value-type="string"'
    else:
        kind = f'office:value-type="float" office:value="{value}"'
    return f"<table:table-cell {kind}><text:p>{escape(str(value))}</text:p></table:table-cell>"
