"""What makes two runs the same: the id they ask for, and a hash of everything said about them.

The hash is taken of one canonical text: the columns of RUN_SCHEMA in their order, separated by NUL, which
no text of a run may hold. Null is empty, a moment is its microseconds since 1970, lists are separated by
0x01, a unit is `name=billionths`. Runs from HTTP and from files thus compare alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Final

import polars as pl

from runs_analytics.run_frame import RUN_SCHEMA, UTC_US
from runs_analytics.warehouse.hashing import id_text, md5_pair, md5_pairs

_FIELDS: Final = "\x00"
_ITEMS: Final = "\x01"
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - run frames hold UTC without a zone
_MICROSECOND: Final = timedelta(microseconds=1)
_values: Final = itemgetter(*RUN_SCHEMA)


def microseconds(moment: datetime) -> int:
    """Whole microseconds from 1970 to a moment, both UTC without a zone."""
    return (moment - EPOCH) // _MICROSECOND


def id_pair(run: Mapping[str, Any]) -> tuple[int, int]:
    """The halves of the hash that stands for a run's source and id: high, then low."""
    return md5_pair(id_text(run["source"], run["id"]))


def content_hash(run: Mapping[str, Any]) -> int:
    """Signed 64-bit hash of a row of a run frame."""
    texts = [v if type(v) is str else "" if v is None else _text(v) for v in _values(run)]
    return md5_pair(_FIELDS.join(texts))[0]


def content_hashes(runs: pl.DataFrame) -> pl.Series:
    """The `content_hash` of every row of a run frame, Int64."""
    parts = [_texts(name, dtype) for name, dtype in RUN_SCHEMA.items()]
    return md5_pairs(runs.select(pl.concat_str(parts, separator=_FIELDS)).to_series())["high"]


def _text(value: Any) -> str:
    """The canonical text of a value that is neither text nor None."""
    if type(value) is int:
        return str(value)
    if type(value) is datetime:
        return str((value - EPOCH) // _MICROSECOND)
    if type(value) is list:
        return _ITEMS.join([v if type(v) is str else f"{v['name']}={v['quantity_nano']}" for v in value])
    return str(value)


def _texts(name: str, dtype: object) -> pl.Expr:
    column = pl.col(name)
    if name == "units":
        unit = pl.element().struct
        named = pl.concat_str(unit.field("name"), unit.field("quantity_nano").cast(pl.String), separator="=")
        column = column.list.eval(named).list.join(_ITEMS)
    elif name == "tags":
        column = column.list.join(_ITEMS)
    elif dtype == UTC_US:
        column = column.dt.epoch("us").cast(pl.String)
    elif dtype == pl.Int64:
        column = column.cast(pl.String)
    return column.fill_null("")
