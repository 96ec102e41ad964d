"""How the columns of a file become the fields of runs, as one checked value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from runs_analytics.errors import BadRequest
from runs_analytics.ingest.files.moments import TIME_UNITS
from runs_analytics.vocabulary import DIMENSIONS, MAX_TAGS, MAX_TEXT, MAX_UNITS, QUANTITIES, STATUSES
from runs_analytics.zones import zone_named

FIELDS: Final = (
    "id",
    "parent_id",
    *DIMENSIONS,
    "started_at",
    "ended_at",
    "duration",
    *QUANTITIES,
    "cost",
    "input",
    "output",
    "error",
)
"""Fields of a run that a column can fill; `unit:<name>` and `tag:<key>` come on top."""

REQUIRED: Final = ("service", "started_at")
_PARTS: Final = ("fields", "fixed", "units", "statuses", "zone", "time_unit", "origin", "key")


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """Which column fills which field, and how its values are read."""

    fields: Mapping[str, str] = field(default_factory=dict)
    """Column by field."""

    fixed: Mapping[str, str] = field(default_factory=dict)
    """The same text for every row, by field."""

    units: Mapping[str, str] = field(default_factory=dict)
    """s, ms or us by field; `duration` is the only one, in seconds without it."""

    statuses: Mapping[str, str] = field(default_factory=dict)
    """Our status by the file's word for it; our own words always count."""

    zone: str = "UTC"
    """IANA zone of times that carry no offset."""

    time_unit: str | None = None
    """s, ms or us of times that are numbers."""

    origin: datetime | None = None
    """Aware moment that numeric times count from; 1970 without it."""

    key: tuple[str, ...] | None = None
    """Columns that together identify a run, for files without an id."""

    def __post_init__(self) -> None:
        for name in (*self.fields, *self.fixed):
            _check_field(name)
        if both := sorted(self.fields.keys() & self.fixed.keys()):
            raise BadRequest(f"{both[0]} is both mapped and fixed; choose one.", field=both[0])
        if "id" in self.fixed:
            raise BadRequest("id cannot be the same for every run; map a column or leave it out.", field="id")
        if "id" in self.fields and self.key:
            raise BadRequest("Give an id column or key columns, not both.", field="key")
        for name, unit in self.units.items():
            if name != "duration" or unit not in TIME_UNITS:
                raise BadRequest(f"Unit {name}={unit} is unknown; write duration=s, ms or us.", field=name)
        for theirs, ours in self.statuses.items():
            if ours not in STATUSES:
                raise BadRequest(
                    f"Status {theirs}={ours} is unknown; map to one of: {', '.join(STATUSES)}.",
                    field="status",
                    value=ours,
                )
        zone_named(self.zone)
        if self.time_unit is not None and self.time_unit not in TIME_UNITS:
            raise BadRequest(
                f"Time unit {self.time_unit!r} is unknown; write s, ms or us.", field="time_unit"
            )
        if self.origin is not None and self.origin.tzinfo is None:
            raise BadRequest(f"Origin {self.origin} has no offset; write 2026-11-22T00:00:00+00:00.")
        _check_count(self, "tag:", MAX_TAGS)
        _check_count(self, "unit:", MAX_UNITS)

    @classmethod
    def parse(
        cls,
        maps: Iterable[str] = (),
        sets: Iterable[str] = (),
        units: Iterable[str] = (),
        statuses: Iterable[str] = (),
        *,
        zone: str = "UTC",
        time_unit: str | None = None,
        origin: str | None = None,
        key: str | None = None,
    ) -> Self:
        """Read a mapping from the command line.

        Args:
            maps: `field=column`.
            sets: `field=value`.
            units: `duration=s`.
            statuses: `THEIRS=ours`.
            zone: IANA zone of times without an offset.
            time_unit: s, ms or us of numeric times; s when only an origin is given.
            origin: ISO time; without an offset it is read in `zone`.
            key: column names separated by commas.

        Raises:
            BadRequest: naming the part, the value and what would be right.
        """
        return cls(
            fields=_pairs(maps, "--map", "field=column"),
            fixed=_pairs(sets, "--set", "field=value"),
            units=_pairs(units, "--unit", "duration=s"),
            statuses=_pairs(statuses, "--status", "THEIRS=ours", split_last=True),
            zone=zone,
            time_unit=time_unit or ("s" if origin else None),
            origin=_origin(origin, zone) if origin else None,
            key=tuple(part.strip() for part in key.split(",") if part.strip()) if key else None,
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            BadRequest: when the text is no such JSON.
        """
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise BadRequest(f"The mapping is not JSON: {problem}.", field="mapping") from problem
        if not isinstance(given, dict):
            raise BadRequest("The mapping is no JSON object.", field="mapping")
        if unknown := sorted(given.keys() - set(_PARTS)):
            raise BadRequest(
                f"Unknown part {unknown[0]!r} of a mapping. The parts are: {', '.join(_PARTS)}.",
                field=unknown[0],
            )
        zone = _optional_text(given, "zone") or "UTC"
        origin = _optional_text(given, "origin")
        key = given.get("key")
        if key is not None and not (isinstance(key, list) and all(isinstance(part, str) for part in key)):
            raise BadRequest("The mapping's key is no list of columns.", field="key")
        return cls(
            fields=_texts(given, "fields"),
            fixed=_texts(given, "fixed"),
            units=_texts(given, "units"),
            statuses=_texts(given, "statuses"),
            zone=zone,
            time_unit=_optional_text(given, "time_unit"),
            origin=_origin(origin, zone) if origin else None,
            key=tuple(key) if key else None,
        )

    def to_json(self) -> str:
        """The mapping as one JSON object, smallest form, keys sorted."""
        parts: dict[str, Any] = {
            "fields": dict(self.fields),
            "fixed": dict(self.fixed),
            "units": dict(self.units),
            "statuses": dict(self.statuses),
            "zone": self.zone,
            "time_unit": self.time_unit,
            "origin": self.origin.isoformat() if self.origin else None,
            "key": list(self.key) if self.key else None,
        }
        kept = {name: part for name, part in parts.items() if part not in (None, {})}
        return json.dumps(kept, ensure_ascii=False, sort_keys=True)

    def over(self, defaults: ImportMapping) -> ImportMapping:
        """This mapping, with the fields, fixed values and statuses it leaves out taken from another."""
        named = self.fields.keys() | self.fixed.keys()
        return replace(
            self,
            fields={**{k: v for k, v in defaults.fields.items() if k not in named}, **self.fields},
            fixed={**{k: v for k, v in defaults.fixed.items() if k not in named}, **self.fixed},
            statuses={**defaults.statuses, **self.statuses},
        )

    def check(self, columns: Iterable[str]) -> None:
        """Whether the mapping fits a file of these columns.

        Raises:
            BadRequest: naming a column the file does not have, or a required field without a source.
        """
        known = list(columns)
        used = {**self.fields, **{f"key column {name}": name for name in self.key or ()}}
        for name, column in used.items():
            if column not in known:
                raise BadRequest(
                    f"The file has no column {column!r} for {name}. Its columns are: {', '.join(known)}.",
                    field=name,
                    value=column,
                )
        for name in REQUIRED:
            if name not in self.fields and name not in self.fixed:
                raise BadRequest(
                    f"{name} is required: map a column with --map {name}=COLUMN or fix it with "
                    f"--set {name}=VALUE. The columns are: {', '.join(known)}.",
                    field=name,
                )


def _check_field(name: str) -> None:
    for prefix in ("tag:", "unit:"):
        if name.startswith(prefix):
            key = name.removeprefix(prefix)
            if not key.strip() or len(key) > MAX_TEXT or "=" in key or not key.isprintable():
                raise BadRequest(
                    f"{name!r} is no usable name: write {prefix}name, up to {MAX_TEXT} printable "
                    "characters without an equals sign.",
                    field=name,
                )
            return
    if name not in FIELDS:
        raise BadRequest(
            f"Unknown field {name!r}. The fields are: {', '.join(FIELDS)}, unit:NAME, tag:KEY.",
            field=name,
            value=name,
        )


def _check_count(mapping: ImportMapping, prefix: str, most: int) -> None:
    count = sum(name.startswith(prefix) for name in (*mapping.fields, *mapping.fixed))
    if count > most:
        raise BadRequest(f"{count} fields start with {prefix}; at most {most}.", field=prefix)


def _pairs(given: Iterable[str], option: str, form: str, *, split_last: bool = False) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.rpartition("=") if split_last else text.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name or not value:
            raise BadRequest(f"{option} {text!r} cannot be read; write {option} {form}.", value=text)
        if name in found:
            raise BadRequest(f"{option} names {name} twice; once is enough.", field=name, value=text)
        found[name] = value
    return found


def _origin(text: str, zone: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise BadRequest(
            f"Origin {text!r} is no time; write it as 2026-11-22T00:00:00+00:00.", field="origin", value=text
        ) from problem
    return moment if moment.tzinfo else moment.replace(tzinfo=zone_named(zone))


def _texts(given: Mapping[str, Any], part: str) -> dict[str, str]:
    found = given.get(part, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadRequest(f"The mapping's {part} is no object of texts.", field=part)
    return found


def _optional_text(given: Mapping[str, Any], part: str) -> str | None:
    found = given.get(part)
    if found is not None and not isinstance(found, str):
        raise BadRequest(f"The mapping's {part} is {found!r}; write text.", field=part, value=found)
    return found
