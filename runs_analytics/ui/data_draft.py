"""The mapping that a person is making for one file: kept in widgets, read as an `ImportMapping`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files import FIELDS, ImportMapping, default_mapping, suggest_mapping
from runs_analytics.ui.data_upload import Preview
from runs_analytics.vocabulary import STATUSES, Status

ABSENT: Final = "absent"
FIXED: Final = "fixed"
_COLUMN: Final = "column:"
TIME_UNITS: Final = ("text", "s", "ms", "us")
DURATION_UNITS: Final = ("s", "ms", "us")
REJECT: Final = "reject"

_WORDS: Final[dict[Status, str]] = {
    "succeeded": "succeed success successful ok done complete completed finished passed 200",
    "failed": "fail failure error errored exception crashed",
    "cancelled": "cancel canceled aborted stopped skipped",
    "timed_out": "timeout timedout time_out expired deadline_exceeded",
    "blocked": "refused rejected denied rate_limited throttled",
    "running": "pending processing in_progress queued started created open active",
}


@dataclass(frozen=True)
class Draft:
    """The widgets of one file's mapping."""

    file_id: str
    preview: Preview

    def key(self, part: str, name: str = "") -> str:
        """The session's key of a widget; files never share one."""
        return f"draft_{self.file_id}_{part}_{name}"

    def get(self, part: str, name: str = "", default: Any = None) -> Any:
        """What a widget holds."""
        return st.session_state.get(self.key(part, name), default)

    def begin(self, zone: str) -> None:
        """Fill the widgets with what the columns' names suggest, the first time only."""
        if self.get("begun"):
            return
        st.session_state[self.key("begun")] = True
        known = default_mapping(self.preview.columns)
        suggested = suggest_mapping(self.preview.columns)
        taken = set(known.fields.values())
        fields = dict(known.fields) | {
            f: c for f, c in suggested.items() if f not in known.fields and c not in taken
        }
        units = {"duration": unit_in_name(fields["duration"])} if "duration" in fields else {}
        self.load(ImportMapping(fields=fields, fixed=known.fixed, units=units, zone=zone))

    def load(self, mapping: ImportMapping) -> None:
        """Fill the widgets from a mapping; columns that the file does not have stay out."""
        names = {column.name for column in self.preview.columns}
        fields = {f: c for f, c in mapping.fields.items() if c in names}
        for field in FIELDS:
            chosen = _COLUMN + fields[field] if field in fields else ABSENT
            self._set("field", field, FIXED if field in mapping.fixed else chosen)
            self._set("fixed", field, mapping.fixed.get(field, ""))
        for kind in ("tag", "unit"):
            prefix = f"{kind}:"
            self._set(kind, "", [c for f, c in fields.items() if f.startswith(prefix)])
        self._set("extra", "", {f: v for f, v in mapping.fixed.items() if ":" in f})
        self._set("titles", "", {c: f for f, c in fields.items() if ":" in f})
        self._set("statuses", "", dict(mapping.statuses))
        self._set("duration_unit", "", mapping.units.get("duration", "s"))
        self._set("zone", "", mapping.zone)
        self._set("time_unit", "", mapping.time_unit or "text")
        self._set("origin", "", mapping.origin.isoformat() if mapping.origin else "")
        self._set("key", "", [c for c in mapping.key or () if c in names])
        for status_key in [k for k in st.session_state if str(k).startswith(self.key("status"))]:
            del st.session_state[status_key]

    def column_of(self, field: str) -> str | None:
        """The column that fills a field."""
        chosen = str(self.get("field", field, ABSENT))
        return chosen.removeprefix(_COLUMN) if chosen.startswith(_COLUMN) else None

    def options(self) -> list[str]:
        """What can fill a field."""
        return [ABSENT, FIXED, *(_COLUMN + column.name for column in self.preview.columns)]

    def mapping(self) -> ImportMapping:
        """What the widgets say.

        Raises:
            BadRequest: when it cannot be used with this file; the message says what is missing.
        """
        fields, fixed = self._fields()
        origin = str(self.get("origin", default="")).strip()
        time_unit = self.get("time_unit", default="text")
        read = ImportMapping.parse(
            zone=self.get("zone", default="UTC"),
            time_unit=None if time_unit == "text" else time_unit,
            origin=origin or None,
        )
        made = ImportMapping(
            fields=fields,
            fixed=fixed,
            units={"duration": self.get("duration_unit", default="s")} if "duration" in fields else {},
            statuses=self._statuses(),
            zone=read.zone,
            time_unit=read.time_unit,
            origin=read.origin,
            key=tuple(self.get("key", default=())) or None,
        )
        _check_required(made)
        made.check(column.name for column in self.preview.columns)
        return made

    def _fields(self) -> tuple[dict[str, str], dict[str, str]]:
        fields = {f: column for f in FIELDS if (column := self.column_of(f)) is not None}
        fixed = {
            f: value
            for f in FIELDS
            if self.get("field", f) == FIXED and (value := str(self.get("fixed", f, "")).strip())
        }
        titles: Mapping[str, str] = self.get("titles", default={})
        for kind in ("tag", "unit"):
            for column in self.get(kind, default=()):
                loaded = titles.get(column, "")
                fields[loaded if loaded.startswith(f"{kind}:") else f"{kind}:{plain_name(column)}"] = column
        return fields, fixed | dict(self.get("extra", default={}))

    def _statuses(self) -> dict[str, str]:
        if self.column_of("status") is None:
            return {}
        chosen = dict(self.get("statuses", default={}))
        return {theirs: ours for theirs, ours in chosen.items() if ours != REJECT and theirs != ours}

    def _set(self, part: str, name: str, value: Any) -> None:
        st.session_state[self.key(part, name)] = value


def suggested_status(word: str) -> str:
    """The status that a file's word probably means; `REJECT` for a word that says nothing."""
    plain = re.sub(r"[^a-z0-9]+", "_", word.lower()).strip("_")
    if plain in STATUSES:
        return plain
    return next((status for status, words in _WORDS.items() if plain in words.split()), REJECT)


def unit_in_name(column: str) -> str:
    """The unit that a column's name ends with: s, ms or us."""
    parts = re.split(r"[^a-z]+", column.lower())
    if {"ms", "millis", "milliseconds"} & set(parts):
        return "ms"
    return "us" if {"us", "micros", "microseconds"} & set(parts) else "s"


def plain_name(column: str) -> str:
    """A column's name as the key of a tag or the name of a unit."""
    return re.sub(r"[=\s]+", "_", column.strip())


def _check_required(mapping: ImportMapping) -> None:
    given: Iterable[str] = mapping.fields.keys() | mapping.fixed.keys()
    for field, what in (("service", "what was called"), ("started_at", "when a run started")):
        if field not in given:
            raise BadRequest(
                f"Choose the column for {field}: {what}. For service a fixed value will do.", field=field
            )
