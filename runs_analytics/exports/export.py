"""One call that turns a `Document` into a finished file."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runs_analytics.errors import BadRequest
from runs_analytics.exports.csv_file import write_csv
from runs_analytics.exports.document import FORMATS, Document, ExportResult, Format
from runs_analytics.exports.json_file import write_json
from runs_analytics.exports.manifest import Manifest, make_manifest, manifest_json
from runs_analytics.exports.parquet_file import write_parquet
from runs_analytics.exports.rows import TableReader
from runs_analytics.zones import zone_named

MEDIA_TYPES: Final[dict[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}
NOTES: Final[dict[Format, tuple[str, ...]]] = {
    "csv": (
        "Text that starts with ' = + - @, a tab or a line break has one apostrophe in front, so that no spreadsheet "
        "takes it for a formula; take it away to have the text back.",
    ),
    "xlsx": ("Spreadsheet programs calculate with 15 digits; CSV, JSON and Parquet carry all of them.",),
}
MAX_SLUG: Final = 60
_CHUNK_BYTES: Final = 1 << 20


def export(
    document: Document,
    file_format: Format,
    folder: Path,
    progress: Callable[[int], None] | None = None,
    *,
    bundle: bool = True,
) -> ExportResult:
    """Write a document to a new file in a folder; a failure leaves no file.

    XLSX, PDF and JSON are one file that carries its manifest. CSV and Parquet are a zip of one data file per table
    and `manifest.json`, which also lists the `files` with their hashes. Without `bundle` they are the one table's
    file alone, and the manifest comes in the result (Parquet has it in its metadata as well).

    Args:
        document: what the page shows.
        file_format: one of `FORMATS`.
        folder: where the file goes; large enough for it twice.
        progress: called with the number of rows written so far, of all tables.
        bundle: whether CSV and Parquet come as a zip.

    Raises:
        BadRequest: for an unknown format, rows that do not fit their columns, or several tables without `bundle`.
        Damaged: when the rows are not as many, or do not add up to what, the page shows.
    """
    if file_format not in FORMATS:
        raise BadRequest(
            f"Unknown export format {file_format!r}. Use one of: {', '.join(FORMATS)}.", field="format"
        )
    zipped = bundle and file_format in ("csv", "parquet")
    if not zipped and file_format in ("csv", "parquet") and len(document.tables) > 1:
        raise BadRequest(
            f"{document.title!r} has {len(document.tables)} tables and a {file_format} file holds one; bundle them.",
            field="bundle",
        )
    suffix = "zip" if zipped else file_format
    stem = file_stem(document)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as temporary:
        work = Path(temporary)
        readers = _readers(document, progress)
        made = work / f"made.{suffix}"
        write = _write_zip if zipped else _write_one
        manifest = write(document, file_format, readers, made)
        digest = _sha256(made)
        path = folder / f"{stem}-{work.name.removeprefix('.export-')}.{suffix}"
        os.replace(made, path)
    return ExportResult(
        path=path,
        media_type=MEDIA_TYPES[suffix],
        file_name=f"{stem}.{suffix}",
        rows=sum(reader.rows for reader in readers),
        sha256=digest,
        manifest=manifest,
    )


def file_stem(document: Document) -> str:
    """A download's name without suffix: the title in ASCII and the dates it covers."""
    decomposed = unicodedata.normalize("NFKD", document.title).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", decomposed.lower())[:MAX_SLUG].strip("-") or "export"
    selection = document.selection
    if selection is None:
        return f"{slug}-{document.generated_at.astimezone(zone_named(document.zone)):%Y-%m-%d}"
    if selection.start == selection.end:
        return f"{slug}-{selection.start}"
    return f"{slug}-{selection.start}-to-{selection.end}"


def _readers(document: Document, progress: Callable[[int], None] | None) -> list[TableReader]:
    written = 0

    def advance(rows: int) -> None:
        nonlocal written
        written += rows
        if progress:
            progress(written)

    return [TableReader(table, document.zone, advance) for table in document.tables]


def _write_one(document: Document, file_format: Format, readers: list[TableReader], path: Path) -> Manifest:
    def manifest() -> Manifest:
        return make_manifest(document, readers, NOTES.get(file_format, ()))

    match file_format:
        case "csv":
            write_csv(path, readers[0])
        case "parquet":
            write_parquet(path, readers[0], manifest)
        case "json":
            write_json(path, readers, document.zone, manifest)
        case "xlsx":
            from runs_analytics.exports.xlsx_file import write_xlsx  # openpyxl is slow to import

            write_xlsx(path, document, readers, manifest)
        case "pdf":
            from runs_analytics.exports.pdf_file import write_pdf  # as is reportlab

            write_pdf(path, document, readers, manifest)
    return manifest()


def _write_zip(document: Document, file_format: Format, readers: list[TableReader], path: Path) -> Manifest:
    files = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1, allowZip64=True) as archive:
        for reader in readers:
            part = path.with_name(f"{reader.table.name}.{file_format}")
            _write_one(document, file_format, [reader], part)
            files.append({"name": part.name, "bytes": part.stat().st_size, "sha256": _sha256(part)})
            with (
                part.open("rb") as source,
                archive.open(_entry(document, part.name), "w", force_zip64=True) as out,
            ):
                shutil.copyfileobj(source, out, _CHUNK_BYTES)
            part.unlink()
        manifest = make_manifest(document, readers, NOTES.get(file_format, ())) | {"files": files}
        archive.writestr(_entry(document, "manifest.json"), manifest_json(manifest))
    return manifest


def _entry(document: Document, name: str) -> zipfile.ZipInfo:
    moment = document.generated_at.astimezone(zone_named(document.zone))
    entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
