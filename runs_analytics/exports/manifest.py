"""What a file says about itself, so that a reader can prove that it equals the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from runs_analytics import __version__
from runs_analytics.exports.document import Document
from runs_analytics.exports.rows import TableReader
from runs_analytics.exports.words import plain, selection_in_words
from runs_analytics.selection import Selection
from runs_analytics.zones import zone_named

Manifest = dict[str, Any]

ROWS_SHA256_NOTE: Final = (
    "rows_sha256 is the SHA-256 of the table as a CSV export of this product holds it, in every format."
)


def make_manifest(document: Document, readers: Sequence[TableReader], notes: Sequence[str] = ()) -> Manifest:
    """The manifest of a document whose tables have been read to the end.

    Args:
        document: what was exported.
        readers: its tables' readers, done.
        notes: what the format adds to the document's own notes.

    Returns:
        JSON-ready values: `product`, `title`, `account`, `selection` (`address`, which opens the same view, and
        `words`), `zone`, `generated_at`, `applied_seq`, `headlines`, `tables` (`name`, `title`, `rows`, `columns`,
        `totals` as texts with decimals in full, `rows_sha256`) and `notes`.
    """
    return {
        "product": f"Runs {__version__}",
        "title": document.title,
        "account": document.account,
        "selection": {
            "address": address(document.selection),
            "words": selection_in_words(document.selection),
        },
        "zone": document.zone,
        "generated_at": document.generated_at.astimezone(zone_named(document.zone)).isoformat(),
        "applied_seq": document.applied_seq,
        "headlines": [
            {"label": line.label, "value": line.value, "note": line.note} for line in document.headlines
        ],
        "tables": [_table(reader) for reader in readers],
        "notes": [*document.notes, *notes, ROWS_SHA256_NOTE],
    }


def address(selection: Selection | None) -> str:
    """The query of the page's address, with dates rather than a period that moves on."""
    return urlencode(replace(selection, period=None).to_query(), doseq=True) if selection else ""


def manifest_json(manifest: Manifest) -> bytes:
    """The manifest as indented UTF-8 JSON with a final line break."""
    return json.dumps(manifest, ensure_ascii=False, indent=2).encode() + b"\n"


def manifest_lines(manifest: Manifest) -> list[tuple[str, str]]:
    """The manifest as label and text, one line per fact, for formats that show it to people."""
    selection = manifest["selection"]
    lines = [
        ("Product", str(manifest["product"])),
        ("Account", str(manifest["account"])),
        ("Selection", str(selection["words"])),
        ("Page address", str(selection["address"]) or "–"),
        ("Zone", str(manifest["zone"])),
        ("Generated at", str(manifest["generated_at"])),
        ("Applied up to sequence", str(manifest["applied_seq"])),
    ]
    lines += [(f"Headline: {h['label']}", f"{h['value']} {h['note']}".strip()) for h in manifest["headlines"]]
    for table in manifest["tables"]:
        lines.append((f"{table['title']}: rows", f"{table['rows']:,}"))
        for name, total in (table["totals"] or {}).items():
            lines.append((f"{table['title']}: total {name}", "–" if total is None else total))
        lines.append((f"{table['title']}: rows_sha256", table["rows_sha256"]))
    return lines + [("Note", note) for note in manifest["notes"]]


def _table(reader: TableReader) -> dict[str, object]:
    table = reader.table
    return {
        "name": table.name,
        "title": table.title,
        "rows": reader.rows,
        "columns": [
            {"name": column.name, "title": column.title, "kind": column.kind, "unit": column.unit}
            for column in table.columns
        ],
        "totals": None if table.totals is None else {k: plain(v) for k, v in table.totals.items()},
        "rows_sha256": reader.rows_sha256,
    }
