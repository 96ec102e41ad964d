"""What a start finds after a crash or a damaged file, and how it is put right."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from runs_analytics.control.segments import Segment
from runs_analytics.ingest.content import content_hashes
from runs_analytics.ingest.stored_ids import IdTable, ImportedIds
from runs_analytics.warehouse.archive import Archive
from runs_analytics.warehouse.hashing import id_text, md5_pairs


def heal_notes(applied_seq: int, known_seq: int, segments: Sequence[Segment]) -> list[str]:
    """What to tell people when the warehouse lost something that it is known to have held.

    Args:
        applied_seq: how far the warehouse is.
        known_seq: how far it was when that was last noted.
        segments: the manifest of all accounts.
    """
    reached = max([known_seq, *(s.last_seq for s in segments if s.import_id is None)])
    if applied_seq >= reached:
        return []
    return [
        f"The warehouse had lost everything after {applied_seq} of {reached}; "
        "it is being applied again from the archive and the inbox. Nothing is missing."
    ]


def clean_archive(archive: Archive, listed: Collection[str]) -> int:
    """Remove files that no manifest row names, left by a crash; how many there were."""
    removed = 0
    for file in archive.folder.rglob("*"):
        if file.is_file() and file.relative_to(archive.folder).as_posix() not in listed:
            file.unlink()
            removed += 1
    return removed


def restore_imported_ids(archive: Archive, imported: ImportedIds, segments: Sequence[Segment]) -> None:
    """Make the id tables of every import available; those that are missing are made anew from its segments."""
    by_import: dict[str, list[Segment]] = {}
    for segment in segments:
        if segment.import_id is not None:
            by_import.setdefault(segment.import_id, []).append(segment)
    for import_id, parts in by_import.items():
        if not imported.is_saved(import_id):
            table = IdTable.merged([segment_ids(archive.read(part.file.path)) for part in parts])
            table.save(imported.folder, import_id)
        imported.register(parts[0].file.account, import_id)


def segment_ids(rows: pl.DataFrame) -> IdTable:
    """The ids of a segment's rows, judged like the import that wrote them."""
    pairs = md5_pairs(rows.select(pl.concat_str("source", pl.lit(id_text("", "")), "id")).to_series())
    is_row_hash = rows["id"].str.contains(r"^[0-9a-f]{32}(-[0-9]+)?$")
    content = (
        pl.select(pl.when(is_row_hash).then(pairs["high"]).otherwise(content_hashes(rows))).to_series()
        if is_row_hash.any()
        else content_hashes(rows)
    )
    return IdTable.of(
        pairs["high"].to_numpy(),
        pairs["low"].to_numpy(),
        content.to_numpy(),
        rows["started_at"].dt.epoch("us").to_numpy(),
        (rows["status"] != "running").to_numpy(),
    )
