"""Ids: the file's own, a key's, or the hash of the row and its place among identical rows."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs_analytics.ingest.files import ImportMapping, RowOrdinals
from runs_analytics.ingest.files import ids as ids_module
from runs_analytics.ingest.files.ids import hash_texts
from runs_analytics.ingest.files.rowhash import row_hashes
from runs_analytics.warehouse import hashing
from runs_analytics.warehouse.hashing import md5_pairs
from tests.file_fixtures import csv_file, import_file

HEADER = "service,started_at,note"
A, B = "api,2026-11-01,a", "api,2026-11-01,b"


def ids_of(path: Path, rows: int = 250_000) -> list[str]:
    return import_file(path, rows=rows).runs["id"].to_list()


def test_identical_rows_are_kept_and_numbered(tmp_path: Path) -> None:
    first, other, second, third = ids_of(csv_file(tmp_path, [HEADER, A, B, A, A]))
    assert len(first) == len(other) == 32
    assert first != other
    assert [second, third] == [f"{first}-1", f"{first}-2"]


def test_name_batches_and_column_order_do_not_enter_an_id(tmp_path: Path) -> None:
    lines = [HEADER, *[A, B, A] * 50]
    turned = [",".join(reversed(line.split(","))) for line in lines]
    expected = ids_of(csv_file(tmp_path, lines, "one.csv"))
    assert ids_of(csv_file(tmp_path, lines, "two.csv"), rows=7) == expected
    assert ids_of(csv_file(tmp_path, turned, "three.csv")) == expected
    assert sorted(ids_of(csv_file(tmp_path, [HEADER, *lines[:0:-1]], "four.csv"))) == sorted(expected)


def test_a_rejected_row_changes_no_id(tmp_path: Path) -> None:
    assert ids_of(csv_file(tmp_path, [HEADER, A, "api,never,x", A])) == ids_of(
        csv_file(tmp_path, [HEADER, A, A])
    )


def test_an_id_column_is_taken_as_it_is(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["id,service,started_at", "r1,api,2026-11-01", ",api,2026-11-01"])
    found = import_file(path)
    assert found.runs["id"].to_list() == ["r1"]
    assert found.problems == [(3, "the id is missing")]


def test_key_columns_identify_a_run_whatever_else_changes(tmp_path: Path) -> None:
    mapping = ImportMapping.parse(key="service, note")
    before = import_file(csv_file(tmp_path, [HEADER, A, B]), mapping).runs["id"].to_list()
    later = (
        import_file(csv_file(tmp_path, [HEADER, A.replace("11-01", "11-02"), B]), mapping)
        .runs["id"]
        .to_list()
    )
    assert before == later
    assert len(set(before)) == 2


TEXTS = st.text(alphabet="ab\\\x1e\x1f:ru", max_size=4)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_only_equal_rows_hash_equally(rows: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    pairs = row_hashes(frame).rows()
    assert len(set(pairs)) == len(set(rows))
    half = len(rows) // 2
    assert pairs == [*row_hashes(frame[:half]).rows(), *row_hashes(frame[half:]).rows()]


def test_a_missing_column_hashes_like_an_empty_one() -> None:
    short = pl.DataFrame({"a": ["x"]})
    for value in (None, ""):
        wide = short.with_columns(b=pl.lit(value, dtype=pl.String))
        assert row_hashes(wide).equals(row_hashes(short))


@pytest.mark.parametrize("few", [3, 2])
def test_hash_texts_are_the_usual_hex_digits(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(hashing, "FEW_TEXTS", few)
    texts = ["", "a", "zürich"]
    pairs = md5_pairs(pl.Series(texts))
    expected = [hashlib.md5(text.encode()).hexdigest() for text in texts]
    assert hash_texts(pairs["high"], pairs["low"]).to_list() == expected


SMALL = st.integers(-2, 2)


@given(st.lists(st.lists(st.tuples(SMALL, SMALL), max_size=12), max_size=12), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_ordinals_count_earlier_identical_hashes(batches: list[list[tuple[int, int]]], sealed: int) -> None:
    ordinals = RowOrdinals()
    seen: Counter[tuple[int, int]] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids_module, "_SEALED_ROWS", sealed)
        for batch in batches:
            pairs = np.array(batch, np.int64).reshape(-1, 2)
            expected = []
            for pair in batch:
                expected.append(seen[pair])
                seen[pair] += 1
            assert ordinals.number(pairs[:, 0], pairs[:, 1]).tolist() == expected
