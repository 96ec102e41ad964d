"""Accepting runs: each gets one verdict, what is acknowledged is in the inbox, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ingest_fixtures import ACME, NOW, Setting, event

from runs_analytics.control.claims import StoredRun
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import Damaged, NotAllowed, StorageFull
from runs_analytics.ingest.accept import Accepted, Conflicting, Duplicate, Rejected
from runs_analytics.ingest.content import content_hash, id_pair
from runs_analytics.ingest.event_fields import EventRules
from runs_analytics.ingest.events import parse_event
from runs_analytics.ingest.inbox_bodies import DECODED_SCHEMA, INBOX_RUN_SCHEMA, decode_bodies, encode_body
from runs_analytics.money.price_book import PriceBook
from runs_analytics.money.rating import rate_run
from runs_analytics.run_frame import RATED_SCHEMA, RUN_SCHEMA
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NANO

TEN_O_CLOCK = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - run frames hold UTC without a zone


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with ControlStore.open(tmp_path) as control:
        yield Setting(control)


def statuses(answers: list[Any]) -> list[str]:
    return [answer.status for answer in answers]


def test_an_accepted_run_is_in_the_inbox_with_its_rating(setting: Setting) -> None:
    assert setting.send(event()) == [Accepted("r1", "2", 1, unpriced=False)]
    inbox = setting.inbox()
    assert inbox.schema == pl.Schema(DECODED_SCHEMA)
    run = inbox.row(0, named=True)
    assert (run["account"], run["seq"], run["id"]) == ("acme", 1, "r1")
    assert (run["credits_nano"], run["credits_price"], run["credits_lines"]) == (2 * 10**9, "m", [2 * 10**9])
    assert run["started_at"] == TEN_O_CLOCK
    assert run["ingested_at"] == NOW.replace(tzinfo=None)
    assert run["id_hash"] == id_pair(run)[0]
    assert run["replaces_started_at"] is None


def test_no_price_is_not_zero(setting: Setting) -> None:
    assert setting.send(event(model="other")) == [Accepted("r1", None, 1, unpriced=True)]
    setting.credits = PriceBook("credits")
    setting.change_price("0")
    assert setting.send(event("r2")) == [Accepted("r2", "0", 1, unpriced=False)]


def test_a_change_of_prices_holds_for_the_next_run(setting: Setting) -> None:
    setting.send(event())
    setting.change_price("0.5")
    assert setting.send(event("r2")) == [Accepted("r2", "50", 1, unpriced=False)]


def test_sending_again_has_no_second_effect(setting: Setting) -> None:
    setting.send(event(), event("r2"))
    assert setting.send(event(), event("r2")) == [Duplicate("r1"), Duplicate("r2")]
    assert setting.inbox().height == 2


def test_the_same_id_with_other_content_is_a_conflict(setting: Setting) -> None:
    setting.send(event())
    assert setting.send(event(output_tokens=7)) == [Conflicting("r1")]
    assert statuses(setting.send(event(source="other"))) == ["accepted"]
    assert setting.inbox()["output_tokens"].to_list() == [100, 100]


def test_a_final_run_replaces_a_running_one_once(setting: Setting) -> None:
    setting.send(event(status="running", started_at="2026-11-22T09:00:00Z", output_tokens=0))
    assert statuses(setting.send(event())) == ["accepted"]
    assert statuses(setting.send(event(status="failed"))) == ["conflict"]
    assert statuses(setting.send(event(status="running"))) == ["conflict"]
    assert setting.inbox()["replaces_started_at"].to_list() == [None, TEN_O_CLOCK.replace(hour=9)]


def test_a_batch_judges_its_own_runs_in_order(setting: Setting) -> None:
    answers = setting.send(
        event(status="running"), event(), event(), event(output_tokens=1), event("r2", cost="x"), 7
    )
    assert statuses(answers) == ["accepted", "accepted", "duplicate", "conflict", "rejected", "rejected"]
    assert answers[4] == Rejected("r2", "cost", "x", "This is 'x'; write a number such as 0.02.")
    assert answers[5].id is None
    assert setting.inbox().select("id", "seq", "status").rows() == [
        ("r1", 1, "running"),
        ("r1", 1, "succeeded"),
    ]


def test_an_imported_run_counts_as_stored(setting: Setting) -> None:
    run = parse_event(event(), EventRules.at(NOW, payload_bytes=1_000, currency="EUR"))
    assert isinstance(run, dict)
    setting.imported[id_pair(run)] = StoredRun(content_hash(run), True, 0)
    assert setting.send(event(), event(cost=1)) == [Duplicate("r1"), Conflicting("r1")]
    assert setting.inbox().height == 0


def test_a_run_too_dear_to_store_is_rejected_alone(setting: Setting) -> None:
    setting.change_price("1000000")
    answers = setting.send(event(output_tokens=10**15), event("r2"))
    assert statuses(answers) == ["rejected", "accepted"]
    assert (answers[0].id, answers[0].field) == ("r1", "credits")


def test_only_rejected_runs_write_nothing(setting: Setting) -> None:
    assert statuses(setting.send({}, [], None)) == ["rejected"] * 3
    assert setting.send() == []
    assert setting.inbox().height == 0


def test_a_failed_commit_claims_nothing(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> bytes:
        raise StorageFull("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr("runs_analytics.ingest.accept.encode_body", full)
        with pytest.raises(StorageFull):
            setting.send(event())
    assert statuses(setting.send(event())) == ["accepted"]


def test_usage_is_posted_with_its_runs_once_an_account_has_a_grant(setting: Setting) -> None:
    setting.send(event("before"))
    assert setting.balance().settled_nano == 0
    setting.grant(5)
    setting.send(event("r1"), event("r2", status="running"), event("r3", model="other"))
    setting.send(event("r1"))  # again
    assert setting.balance().settled_nano == 3 * NANO
    setting.send(event("r2"), event("r4"))
    assert (setting.balance().settled_nano, setting.balance().overage_nano) == (-1 * NANO, 1 * NANO)
    usage = [(e.kind, e.amount_nano // NANO, e.first_seq) for e in setting.entries() if e.kind != "grant"]
    assert usage == [("overage", -1, 3), ("usage", -3, 3), ("usage", -2, 2)]


def test_usage_is_not_posted_when_its_runs_are_not_stored(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting.grant(5)

    def broken(*_: object, **__: object) -> None:
        raise StorageFull("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr("runs_analytics.control.settlement.ledger.post_usage", broken)
        with pytest.raises(StorageFull):
            setting.send(event())
    assert setting.inbox().height == 0
    assert statuses(setting.send(event())) == ["accepted"]
    assert setting.balance().settled_nano == 3 * NANO


def test_more_than_64_bits_of_usage_in_one_request_is_posted_exactly(setting: Setting) -> None:
    setting.grant(5)
    setting.change_price("1")
    setting.send(*[event(f"r{n}", output_tokens=10**9) for n in range(20)])
    assert setting.balance().overage_nano == 20 * 10**18 - 5 * NANO


def test_a_key_that_reads_may_not_send(setting: Setting) -> None:
    with pytest.raises(NotAllowed, match="ingest"):
        setting.accepter.accept(Scope("acme", "key:x", "analyst"), [event()], NOW)


def test_many_requests_share_commits_and_lose_nothing(setting: Setting) -> None:
    async def send_all() -> list[list[Any]]:
        batches = [[event(f"r{batch}-{i}") for i in range(20)] for batch in range(16)]
        large = [event(f"large-{i}") for i in range(300)]
        return await asyncio.gather(
            *(setting.accepter.accept_async(ACME, batch, NOW) for batch in (*batches, large, batches[0]))
        )

    answers = asyncio.run(send_all())
    assert [len(batch) for batch in answers] == [20] * 16 + [300, 20]
    accepted = [answer.id for batch in answers for answer in batch if answer.status == "accepted"]
    assert sorted(accepted) == sorted(setting.inbox()["id"].to_list())
    assert len(set(accepted)) == len(accepted) == 620


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=8))
def test_a_body_comes_back_as_it_was_packed(runs: list[tuple[str, str, int]]) -> None:
    rules = EventRules.at(NOW, payload_bytes=1_000, currency="EUR")
    rows = []
    for said, tag, id_hash in runs:
        run = parse_event(event(units={"a": 1}, tags={"t": "v"}), rules)
        assert isinstance(run, dict)
        rated = rate_run(PriceBook("credits"), PriceBook("cost"), run)
        extra = {"ingested_at": TEN_O_CLOCK, "replaces_started_at": None, "id_hash": id_hash}
        rows.append({**run, **rated, **extra, "input": said, "tags": [tag], "cost_lines": [id_hash]})
    decoded = decode_bodies([(7, "a", encode_body(rows)), (9, "b", encode_body(rows[:1]))])
    assert decoded["seq"].to_list() == [7] * len(rows) + [9]
    assert decoded["account"].to_list() == ["a"] * len(rows) + ["b"]
    assert decoded.select(INBOX_RUN_SCHEMA.keys()).to_dicts() == [*rows, rows[0]]


def test_decoding_nothing_gives_an_empty_frame() -> None:
    assert decode_bodies([]).schema == pl.Schema(DECODED_SCHEMA)
    assert set(INBOX_RUN_SCHEMA) == {
        *RUN_SCHEMA,
        *RATED_SCHEMA,
        "ingested_at",
        "replaces_started_at",
        "id_hash",
    }


@pytest.mark.parametrize("at", [0, 3, 6, 30, -1])
def test_a_changed_byte_is_noticed(setting: Setting, at: int) -> None:
    run = {**event(), **dict.fromkeys(INBOX_RUN_SCHEMA)}
    body = bytearray(encode_body([run]))
    body[at] ^= 0x55
    with pytest.raises(Damaged, match="Inbox row 5"):
        decode_bodies([(5, "a", bytes(body))])
    with pytest.raises(Damaged):
        decode_bodies([(5, "a", b"")])
