"""Runs as clients send them: what is read, what is refused, and in which words."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from file_fixtures import import_file
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runs_analytics.errors import BadRequest, RunsError, TooLarge
from runs_analytics.ingest import bodies
from runs_analytics.ingest.bodies import MAX_BODY_BYTES, measure, parse_body, unpack
from runs_analytics.ingest.content import content_hash, content_hashes
from runs_analytics.ingest.event_fields import FIELDS, EventRules
from runs_analytics.ingest.events import ParsedRun, Rejection, parse_event
from runs_analytics.ingest.files import ImportMapping
from runs_analytics.money.amounts import to_nano
from runs_analytics.run_frame import CUT_MARK, RUN_SCHEMA

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RULES = EventRules.at(NOW, payload_bytes=64, currency="EUR")
EVENT = {"id": "r1", "service": "chat", "started_at": "2026-11-22T10:00:00Z"}
TEN_O_CLOCK = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - run frames hold UTC without a zone


def read(**fields: Any) -> ParsedRun | Rejection:
    """A run with these fields, as it comes out of a body."""
    return read_text(json.dumps({**EVENT, **fields}))


def read_text(text: str) -> ParsedRun | Rejection:
    """The one run of a body."""
    body = parse_body(text.encode())
    assert not body.is_batch
    return parse_event(body.items[0], RULES)


def run_of(**fields: Any) -> ParsedRun:
    """The same, where the run must be good."""
    run = read(**fields)
    assert isinstance(run, dict), run
    return run


def raw(field: str, value: str) -> str:
    """A run's JSON with one value written exactly so."""
    return json.dumps(EVENT)[:-1] + f', "{field}": {value}}}'


def test_the_smallest_run_gets_every_column() -> None:
    run = run_of()
    assert list(run) == list(RUN_SCHEMA)
    assert run["started_at"] == TEN_O_CLOCK
    assert (run["source"], run["project"], run["kind"], run["status"]) == (
        "(none)",
        "(none)",
        "api_call",
        "succeeded",
    )
    assert (run["units"], run["tags"], run["input"], run["ended_at"]) == ([], [], None, None)
    assert pl.DataFrame([run], schema=RUN_SCHEMA).height == 1


@pytest.mark.parametrize(
    ("fields", "column", "expected"),
    [
        ({"service": "  chat "}, "service", "chat"),
        ({"project": ""}, "project", "(none)"),
        ({"project": None}, "project", "(none)"),
        ({"agent": "writer"}, "kind", "agent_run"),
        ({"agent": "writer", "kind": "api_call"}, "kind", "api_call"),
        ({"member": "👩‍💻 שלום"}, "member", "👩‍💻 שלום"),
        ({"started_at": "2026-11-22T12:00:00.000001+02:00"}, "started_at", TEN_O_CLOCK + timedelta(0, 0, 1)),
        ({"duration_ms": 1500}, "duration_us", 1_500_000),
        ({"duration_ms": 0.001}, "duration_us", 1),
        ({"duration_ms": 0.0015}, "duration_us", 2),
        ({"duration_ms": 1500}, "ended_at", TEN_O_CLOCK + timedelta(seconds=1.5)),
        ({"duration_ms": 1500, "status": "running"}, "ended_at", None),
        ({"ended_at": "2026-11-22T10:00:02Z"}, "duration_us", 2_000_000),
        ({"input_tokens": 12.0}, "input_tokens", 12),
        ({"input_tokens": -0.0}, "input_tokens", 0),
        ({"input_tokens": 10**15}, "input_tokens", 10**15),
        ({"cost": "0.1"}, "reported_cost_nano", 100_000_000),
        ({"cost": 1e-9}, "reported_cost_nano", 1),
        ({"cost": 10**9, "currency": "EUR"}, "reported_cost_nano", 10**18),
        ({"units": {"b": "0.5", "a": 2, "c": None}}, "units", [("a", 2_000_000_000), ("b", 500_000_000)]),
        ({"tags": {"tier": "b", "env": " prod ", "x": ""}}, "tags", ["env=prod", "tier=b"]),
        ({"input": "hello\n"}, "input", "hello\n"),
        ({"input": {"b": [1, 0.10], "a": None}}, "input", '{"b":[1,0.1],"a":null}'),
        ({"input": ""}, "input", None),
        ({"error": "x" * 100}, "error", "x" * (64 - len(CUT_MARK.encode())) + CUT_MARK),
    ],
)
def test_a_value_becomes_its_normal_form(fields: dict[str, Any], column: str, expected: object) -> None:
    value = run_of(**fields)[column]
    if column == "units":
        value = [(unit["name"], unit["quantity_nano"]) for unit in value]
    assert value == expected


@pytest.mark.parametrize(
    ("text", "field", "value", "reason"),
    [
        (raw("input_tokens", "NaN"), "input_tokens", "NaN", "NaN is no number"),
        (raw("cost", "Infinity"), "cost", "Infinity", "Infinity is no number"),
        (raw("cost", "-Infinity"), "cost", "-Infinity", "is no number"),
        (raw("cost", "1e999"), "cost", "1e999", "largest amount"),
        (raw("cost", "1e99999999999"), "cost", "1e99999999999", "write a number"),
        (raw("duration_ms", "1e999"), "duration_ms", "1e999", "ten years"),
        (raw("input_tokens", "1e999"), "input_tokens", "1e999", "whole number"),
        (raw("input_tokens", "1" + "0" * 26), "input_tokens", "1" + "0" * 26, "whole number"),
        (raw("input_tokens", "1000000000000001"), "input_tokens", "1000000000000001", "10000000"),
        (raw("input_tokens", "12.5"), "input_tokens", "12.5", "whole number"),
        (raw("input_tokens", "-1"), "input_tokens", "-1", "from 0"),
        (raw("input_tokens", "true"), "input_tokens", "true", "This is true or false"),
        (raw("input_tokens", '"12"'), "input_tokens", "12", "This is text"),
        (raw("duration_ms", '"12"'), "duration_ms", "12", "without quotes"),
        (raw("duration_ms", "-0.5"), "duration_ms", "-0.5", "from 0"),
        (raw("cost", "true"), "cost", "true", "decimal"),
        (raw("cost", "-0.1"), "cost", "-0.1", "never negative"),
        (raw("cost", "0.0000000001"), "cost", "1e-10", "9 decimals"),
        (raw("cost", "100000000.1000000001"), "cost", "100000000.1000000001", "9 decimals"),
        (raw("cost", "1000000000.000000001"), "cost", "1000000000.000000001", "largest amount"),
        (raw("currency", '"USD"'), "currency", "USD", "EUR"),
        (raw("units", '{"a": "x"}'), "units.a", "x", "write a number"),
        (raw("units", '{"a": 1, " a": 1}'), "units. a", " a", "given twice"),
        (raw("units", "[1]"), "units", "[1]", "object"),
        (raw("tags", '{"a=b": "c"}'), "tags.a=b", "a=b", "no '='"),
        (raw("tags", '{"a": 1}'), "tags.a", "1", "text in quotes"),
        (
            raw("tags", json.dumps({f"t{i}": "x" for i in range(33)})),
            "tags",
            '{"t0"',
            "33 entries; at most 32",
        ),
        (raw("member", '"a\\u0000b"'), "member", "a\x00b", "NUL"),
        (raw("member", '"\\ud800"'), "member", "\\ud800", "surrogate"),
        (raw("member", '"' + "x" * 201 + '"'), "member", "x" * 80, "201 characters"),
        (raw("input", '"a\\u0000b"'), "input", "a\x00b", "NUL"),
        (raw("input", '"\\ud800"'), "input", "\\ud800", "surrogate"),
        (raw("input", '["\\ud800"]'), "input", "a list", "surrogate"),
        (raw("input", '{"a": 1, "a": 2}'), "input", "a", "given twice"),
        (raw("input", "[NaN]"), "input", "a list", "NaN"),
        (raw("id", '"r2"'), "", "id", "'id' is given twice"),
        (raw("status", '"done"'), "status", "done", "running, succeeded"),
        (raw("kind", '"job"'), "kind", "job", "agent_run, api_call"),
        (raw("tokens", "1"), "tokens", "1", "The fields are: id, started_at"),
        (raw("\\ud800", "null"), "\\ud800", "", "no such field"),
        (raw("ended_at", '"2026-11-22T09:59:59Z"'), "ended_at", "2026-11-22T09:59:59Z", "before it started"),
        (raw("cached_tokens", '1, "input_tokens": 0'), "cached_tokens", "1", "include the cached"),
        ("12", "", "12", "a number; a run is an object"),
        ('{"service": "a", "started_at": "2026-11-22T10:00:00Z"}', "id", "", "id is missing"),
        ('{"id": " ", "service": "a", "started_at": "2026-11-22T10:00:00Z"}', "id", " ", "id is missing"),
        ('{"id": "1", "started_at": "2026-11-22T10:00:00Z"}', "service", "", "service is missing"),
        ('{"id": "1", "service": "a", "started_at": null}', "started_at", "", "started_at is missing"),
    ],
)
def test_a_bad_value_is_refused_with_its_field(text: str, field: str, value: str, reason: str) -> None:
    found = read_text(text)
    assert isinstance(found, Rejection), found
    assert found.field == field
    assert found.value.startswith(value)
    assert len(found.value) <= 80
    assert reason in found.reason


@pytest.mark.parametrize(
    ("started_at", "is_good"),
    [
        (NOW - timedelta(days=35), True),
        (NOW - timedelta(days=35, microseconds=1), False),
        (NOW + timedelta(minutes=5), True),
        (NOW + timedelta(minutes=5, microseconds=1), False),
    ],
)
def test_a_run_starts_within_the_window(started_at: datetime, is_good: bool) -> None:
    found = read(started_at=started_at.isoformat())
    assert isinstance(found, dict) is is_good
    if isinstance(found, Rejection):
        assert found.field == "started_at"


@pytest.mark.parametrize(
    "text", ["2026-11-22T10:00:00", "2026-11-22", "99999-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "now"]
)
def test_a_moment_has_an_offset_and_a_year_of_ours(text: str) -> None:
    found = read(started_at=text)
    assert isinstance(found, Rejection)
    assert "offset" in found.reason or "35 days" in found.reason


def test_one_bad_run_of_a_thousand_is_refused_alone() -> None:
    texts = [json.dumps({**EVENT, "id": f"r{i}"}) for i in range(1_000)]
    texts[500] = raw("cost", "NaN")
    for body in ("[" + ",".join(texts) + "]", "\n".join(texts)):
        found = [parse_event(item, RULES) for item in parse_body(body.encode()).items]
        assert [i for i, run in enumerate(found) if isinstance(run, Rejection)] == [500]


@pytest.mark.parametrize(
    ("body", "is_lines", "items"),
    [
        ('{"id": "a"}', False, ["a"]),
        ("[]", False, []),
        ('[{"id": "a"}, {"id": "b"}]', False, ["a", "b"]),
        ('\ufeff[{"id": "a"}]', False, ["a"]),
        ('{"id": "a"}\n{"id": "b"}\n', False, ["a", "b"]),
        ('{"id": "a"}\r\n\r\n{"id": "b"}', True, ["a", "b"]),
        ('{"id": "a"}\n{"id": \n{"id": "c"}', True, ["a", "This is no JSON", "c"]),
        ('{"id": "a"}\n"\n' + "[" * 500 + "\n", True, ["a", "This is no JSON", "nested 500 levels"]),
        ('{"id": "a"}\n1,2', True, ["a", "This is no JSON"]),
        ('[{"id": "a"}, {"id": "b", "id": "c"}]', False, ["a", "'id' is given twice"]),
        (f'[{{"id": "a"}}, {{"id": "b", "input": {"[" * 15}{"]" * 15}}}]', False, ["a", "b"]),
        (f'[{{"id": "a"}}, {{"id": "b", "input": {"[" * 16}{"]" * 16}}}]', False, ["a", "17 levels"]),
        (f'[{{"id": "a", "input": "{"[" * 300}"}}]', False, ["a"]),
        ('[{"id": "a", "input": "\\\\\\"[[{,:"}]', False, ["a"]),
    ],
)
def test_a_body_is_split_into_runs(body: str, is_lines: bool, items: list[str]) -> None:
    found = parse_body(body.encode(), is_lines=is_lines).items
    told = [item["id"] if isinstance(item, dict) else getattr(item, "reason", "") for item in found]
    assert len(told) == len(items)
    assert all(wanted in text for wanted, text in zip(items, told, strict=True)), told


@pytest.mark.parametrize(
    ("body", "problem", "words"),
    [
        (b"", BadRequest, "empty"),
        (b" \n ", BadRequest, "empty"),
        (b'{"id": ', BadRequest, "line 1, column"),
        (b'[{"id": "\xff"}]', BadRequest, "0xff"),
        ('{"id": "a"}'.encode("utf-16"), BadRequest, "UTF-8"),
        (b"[" * 100_000, BadRequest, "100,000 levels"),
        (b"[" + b'{"id":"a"},' * 1_000 + b'{"id":"a"}]', TooLarge, "1,001 runs"),
        (b'{"id":"a"}\n' * 1_001, TooLarge, "1,001 runs"),
        (b"[[" + b"0," * 500_000 + b"0]]", TooLarge, "500,000 values"),
        (b" " * (MAX_BODY_BYTES + 1), TooLarge, "16,777,217 bytes"),
    ],
)
def test_a_body_over_a_limit_is_refused_whole(body: bytes, problem: type[RunsError], words: str) -> None:
    with pytest.raises(problem, match=words):
        parse_body(body)


def test_nothing_is_parsed_that_is_over_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> object:
        raise AssertionError("parsed")

    monkeypatch.setattr(bodies.orjson, "loads", fail)
    with pytest.raises(TooLarge):
        parse_body(b"[" + b"{}," * 1_000 + b"{}]")
    with pytest.raises(BadRequest):
        parse_body(b"[" * 201 + b"]" * 201)


def test_gzip_is_unpacked_up_to_the_limit() -> None:
    assert unpack(gzip.compress(b"[1") + gzip.compress(b"]")) == b"[1]"
    assert len(unpack(gzip.compress(bytes(MAX_BODY_BYTES)))) == MAX_BODY_BYTES
    for bomb in (bytes(MAX_BODY_BYTES + 1), bytes(2**28)):
        with pytest.raises(TooLarge, match="unpacks to over"):
            unpack(gzip.compress(bomb, 1))
    with pytest.raises(BadRequest, match="ends too early"):
        unpack(gzip.compress(b"hello")[:-3])
    with pytest.raises(BadRequest, match="cannot be unpacked"):
        unpack(b"hello")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["\ud800", "\x00", "2026-11-22T10:00:00Z", "running", "1e999"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)).map(
    lambda fields: {**fields, **EVENT} if len(fields) % 2 else fields
)


@settings(max_examples=150, deadline=None)
@given(EVENTS | JSON)
def test_any_json_is_a_run_or_a_rejection(value: object) -> None:
    found = [parse_event(item, RULES) for item in parse_body(json.dumps([value]).encode()).items]
    assert len(found) == 1
    if isinstance(found[0], Rejection):
        orjson.dumps(found[0])
    else:
        assert pl.DataFrame(found, schema=RUN_SCHEMA).height == 1


@settings(max_examples=100, deadline=None)
@given(st.decimals(0, 10**9, places=9))
@example(Decimal("100000000.100000001"))
@example(Decimal("123456789.123456789"))
def test_an_amount_is_exact_however_it_is_written(amount: Decimal) -> None:
    for text in (f"{amount:f}", f'"{amount:f}"', f"{amount:e}"):
        run = read_text(raw("cost", text))
        assert isinstance(run, dict)
        assert run["reported_cost_nano"] == to_nano(amount, "cost")


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_the_shape_counts_what_the_parser_finds(value: object) -> None:
    def depth(part: object) -> int:
        inner = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    def keys(part: object) -> int:
        if isinstance(part, dict):
            return len(part) + sum(map(keys, part.values()))
        return sum(map(keys, part)) if isinstance(part, list) else 0

    shape = measure(json.dumps([value, '\\"[{:,']).encode())
    assert (shape.depth, shape.keys, shape.roots) == (depth([value]), keys(value), 1)
    assert shape.outer_commas == 1


def test_a_numbers_digits_survive_inside_a_payload() -> None:
    text = '{"big":123456789012345678901234567890,"fine":0.12345678901234567890}'
    run = parse_event(
        parse_body(raw("input", text).encode()).items[0],
        EventRules.at(NOW, payload_bytes=1_000, currency="EUR"),
    )
    assert isinstance(run, dict)
    assert run["input"] == text


def test_the_hash_of_a_frame_is_that_of_each_run() -> None:
    runs = [
        run_of(),
        run_of(parent_id="p", agent="writer", duration_ms=1.5, cost="0.1", error="e\x01f"),
        run_of(units={"a": 1, "b": "0.5"}, tags={"x": "1", "y": "2"}, cached_tokens=0, input="é"),
        run_of(status="running", input={"a": [1]}),
    ]
    frame = pl.DataFrame(runs, schema=RUN_SCHEMA)
    assert content_hashes(frame).to_list() == [content_hash(run) for run in runs]
    assert len({content_hash(run) for run in runs}) == len(runs)


def test_every_field_changes_the_hash() -> None:
    changes: list[dict[str, Any]] = [
        {name: "other"} for name, field in FIELDS.items() if field.schema.get("maxLength") and name != "id"
    ]
    changes += [{name: 1} for name in ("input_tokens", "output_tokens", "request_bytes", "response_bytes")]
    changes += [{"cost": 1}, {"duration_ms": 1}, {"ended_at": EVENT["started_at"]}, {"tags": {"a": "b"}}]
    changes += [{"units": {"a": 1}}, {"input": "x"}, {"output": "x"}, {"error": "x"}, {"status": "failed"}]
    hashes = {content_hash(run_of(**change)) for change in [{}, {"id": "r2"}, *changes]}
    assert len(hashes) == len(changes) + 2


def test_a_run_from_a_file_equals_the_one_over_http(tmp_path: Path) -> None:
    over_http = run_of(
        source="s3",
        agent=" writer",
        team="",
        duration_ms=1.0625,
        input_tokens=12,
        cost="0.25",
        units={"pages": "1.5"},
        tags={"tier": "b", "env": "prod"},
        output="done",
    )
    file = tmp_path / "runs.csv"
    file.write_text(
        "id,source,service,started,agent,team,ms,tokens,cost,pages,env,tier,said\n"
        "r1,s3,chat,2026-11-22T10:00:00Z, writer,,1.0625,12,0.25,1.5,prod,b,done\n"
    )
    mapping = ImportMapping(
        fields={
            **{name: name for name in ("id", "source", "service", "agent", "team", "cost")},
            "started_at": "started",
            "duration": "ms",
            "input_tokens": "tokens",
            "output": "said",
            "unit:pages": "pages",
            "tag:env": "env",
            "tag:tier": "tier",
        },
        units={"duration": "ms"},
    )
    imported = import_file(file, mapping).runs
    assert imported.select(RUN_SCHEMA.keys()).row(0, named=True) == over_http
    assert content_hashes(imported).to_list() == [content_hash(over_http)]
