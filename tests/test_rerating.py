"""Re-rates: what a preview says is what is posted, once, and everything adds up before and after it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from warehouse_fixtures import make_runs

from runs_analytics.analytics import history, rerating, usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.analytics.history import RunRef
from runs_analytics.analytics.rerating import Preview
from runs_analytics.control import ledger, ledger_lines
from runs_analytics.control.accounts import create_account
from runs_analytics.control.audit import list_entries
from runs_analytics.control.imports import list_imports
from runs_analytics.control.rerates import line_of_entry, lines_of, list_rerates, post_rerate
from runs_analytics.control.schema_limits import usage_days
from runs_analytics.control.schema_rerates import rerate_lines
from runs_analytics.errors import BadRequest, Conflict, Damaged, NotFound
from runs_analytics.ingest.accept import Accepter, TermsCache
from runs_analytics.ingest.verification import verify_stores
from runs_analytics.money.grants import Grant
from runs_analytics.money.price_book import Component, Price, PriceBook, PriceVersion
from runs_analytics.money.rating import rate_run
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

pytest_plugins = ("control_fixtures",)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ACME = Scope("acme", "test", "operator")
DAYS = Selection(date(2026, 11, 1), date(2026, 11, 22), "Europe/Berlin")


def version(number: int, **credits_per_token: str) -> PriceVersion:
    """Prices of output tokens by model."""
    prices = [
        Price(model, 100, (("model", (model,)),), (Component("output_tokens", Decimal(price)),))
        for model, price in credits_per_token.items()
    ]
    return PriceVersion(number, datetime(2026, number, 1, tzinfo=UTC), tuple(prices))


class Workspace:
    """Open stores with an account in Berlin, whose runs of model `a` cost 0.02 credits a token."""

    def __init__(self, stores: Stores, scope: Scope = ACME) -> None:
        self.stores, self.scope = stores, scope
        stores.control.write(lambda c: create_account(c, self.scope, now=NOW, zone="Europe/Berlin"))
        stores.add_price_version(self.scope, "credits", version(1, a="0.02"))
        terms = TermsCache(stores.control.changes, stores.account, stores.books)
        self.accepter = Accepter(stores.control, terms, lambda account, ids: {})
        self.sent = 0

    def grant(self, name: str, credits: int, **fields: Any) -> None:  # noqa: A002 - what is given
        given = Grant(name, "purchase", credits * NANO, 10, NOW, None, NOW)
        self.stores.control.write(lambda c: ledger.add_grant(c, self.scope, replace(given, **fields)))

    def send(self, *items: dict[str, Any]) -> None:
        """Runs of 100 tokens; they are in the warehouse afterwards."""
        bodies = []
        for item in items:
            self.sent += 1
            run = {"id": f"r{self.sent}", "service": "chat", "model": "a", "output_tokens": 100}
            bodies.append({**run, "started_at": "2026-11-20T10:00:00Z", "status": "succeeded", **item})
        assert {answer.status for answer in self.accepter.accept(self.scope, bodies, NOW)} == {"accepted"}
        self.stores.apply_waiting()

    def add(self, **credits_per_token: str) -> PriceVersion:
        numbers = [one.version for one in self.stores.books(self.scope).credits.versions]
        return self.stores.add_price_version(
            self.scope, "credits", version(max(numbers) + 1, **credits_per_token)
        )

    def preview(self, found: PriceVersion, selection: Selection = DAYS, **options: Any) -> Preview:
        return rerating.preview(self.stores, self.scope, "credits", found, selection, **options)

    def confirm(self, found: Preview) -> int:
        return rerating.confirm(self.stores, self.scope, found).number

    def corrections(self) -> list[ledger_lines.Entry]:
        with self.stores.control.read() as connection:
            found = ledger_lines.entries(connection, self.scope, limit=100_000)
        return [entry for entry in reversed(found) if entry.kind == "correction"]

    def balance_nano(self) -> int:
        with self.stores.control.read() as connection:
            ledger_lines.check_ledger(connection, self.scope)
            return ledger.balance(connection, self.scope, now=NOW).settled_nano

    def differences(self) -> tuple[str, ...]:
        stores = self.stores
        return verify_stores(stores.control, stores.warehouse, stores.archive).differences


@pytest.fixture
def workspace(control_url: str, tmp_path: Path) -> Iterator[Workspace]:
    with Stores.open(Settings(tmp_path / "data", control_url=control_url), lambda: NOW) as stores:
        yield Workspace(stores)


def test_a_preview_shows_who_changes_and_confirming_posts_it_once(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send(
        {"member": "ana"}, {"member": "ben", "project": "p", "output_tokens": 50}, {"model": "free"}
    )
    found = workspace.preview(workspace.add(a="0.03"))
    assert (found.runs, found.runs_changed) == (3, 2)
    assert (found.old_nano, found.new_nano) == (3 * NANO, 45 * NANO // 10)
    assert rerating.by_dimension(found.rerate, "member") == [
        ("ana", 1, 1, 2 * NANO, 3 * NANO),
        ("ben", 1, 1, NANO, 15 * NANO // 10),
        ("(none)", 1, 0, 0, 0),
    ]
    assert workspace.balance_nano() == 97 * NANO
    assert workspace.confirm(found) == workspace.confirm(found) == 1
    assert workspace.balance_nano() == 955 * NANO // 10
    lines = [(line.grant_id, line.amount_nano, line.note) for line in workspace.corrections()]
    assert lines == [
        ("g", -NANO, "re-rate 1 · 2026-11-20 · (none) · ana"),
        ("g", -NANO // 2, "re-rate 1 · 2026-11-20 · p · ben"),
    ]
    assert workspace.differences() == ()
    with workspace.stores.control.read() as connection:
        (act, *_) = list_entries(connection, ACME)
        first = workspace.corrections()[0]
        assert line_of_entry(connection, ACME, first.number) == (1, found.rerate.lines[1])
        assert line_of_entry(connection, ACME, first.number - 1) is None
    assert (act.action, act.subject_id) == ("price.rerate", "credits 2")


def test_less_is_given_back_as_a_grant_that_first_pays_overage(workspace: Workspace) -> None:
    workspace.grant("g", 3)
    workspace.send({"member": "ana"}, {"member": "ana"})
    assert workspace.balance_nano() == -NANO
    workspace.confirm(workspace.preview(workspace.add(a="0.005")))
    assert workspace.balance_nano() == 2 * NANO
    assert [(line.grant_id, line.amount_nano) for line in workspace.corrections()] == [("rerate:1", 3 * NANO)]
    assert workspace.differences() == ()
    with pytest.raises(BadRequest, match="made by plans and re-rates"):
        workspace.grant("rerate:9", 1)


def test_what_is_given_back_pays_for_what_others_have_to_give(workspace: Workspace) -> None:
    workspace.add(a="0.02", b="0.01")
    workspace.grant("g", 3)
    workspace.send({"member": "ana"}, {"member": "ben", "model": "b"})
    workspace.confirm(workspace.preview(workspace.add(a="0.01", b="0.03")))
    lines = [(line.grant_id, line.amount_nano) for line in workspace.corrections()]
    assert lines == [("rerate:1", NANO), ("rerate:1", -NANO), (None, -NANO)]
    assert workspace.balance_nano() == -NANO
    assert workspace.differences() == ()


def test_what_no_grant_covers_is_overage(workspace: Workspace) -> None:
    workspace.grant("g", 5)
    workspace.send({"member": "ana"}, {"member": "ben", "output_tokens": 75})
    workspace.confirm(workspace.preview(workspace.add(a="0.04")))
    lines = [(line.grant_id, line.amount_nano) for line in workspace.corrections()]
    assert lines == [("g", -15 * NANO // 10), (None, -NANO // 2), (None, -15 * NANO // 10)]
    workspace.grant("h", 10)
    assert workspace.balance_nano() == 8 * NANO
    assert workspace.differences() == ()


def test_runs_that_come_later_are_not_part_of_it(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    dearer = workspace.add(a="0.03")
    found = workspace.preview(dearer)
    assert workspace.confirm(found) == 1
    cheaper = replace(version(1, a="0.01"), valid_from=datetime(2026, 11, 1, tzinfo=UTC))
    workspace.stores.add_price_version(ACME, "credits", cheaper)
    workspace.send({})
    again = workspace.preview(dearer)
    assert (again.old_nano, again.new_nano, again.runs_changed) == (4 * NANO, 6 * NANO, 1)
    assert workspace.confirm(again) == 2
    assert workspace.preview(dearer).runs_changed == 0


def test_the_same_re_rate_reaches_the_store_twice_and_posts_once(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    found = workspace.preview(workspace.add(a="0.03")).rerate
    posted = [
        workspace.stores.control.submit(lambda c: post_rerate(c, ACME, found, now=NOW)) for _ in range(3)
    ]
    assert [future.result().number for future in posted] == [1, 1, 1]
    assert workspace.balance_nano() == 97 * NANO


def test_verify_finds_a_line_that_was_not_posted(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    workspace.confirm(workspace.preview(workspace.add(a="0.03")))
    row = {"account": "acme", "rerate": 1, "line": 2, "day": DAYS.end, "project": "p", "member": "eve"}
    amounts = {"is_posted": True, "runs": 1, "runs_changed": 1, "old_nano": 0, "new_nano": 7}
    workspace.stores.control.write(lambda c: c.execute(sa.insert(rerate_lines).values(row | amounts)))
    assert workspace.differences() == (
        "Re-rate 1 of 'acme' posted 0 for 2026-11-22, p, eve; its line says -0.000000007.",
    )


def test_a_second_re_rate_starts_from_the_first(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({}, {"started_at": "2026-11-10T10:00:00Z"})
    dearer, dearest = workspace.add(a="0.03"), workspace.add(a="0.05")
    late = replace(DAYS, start=date(2026, 11, 15))
    workspace.confirm(workspace.preview(dearer, late))
    again = workspace.preview(dearer, late)
    assert (again.runs_changed, again.old_nano) == (0, 3 * NANO)
    with pytest.raises(BadRequest, match="nothing to post"):
        workspace.confirm(again)
    found = workspace.preview(dearest)
    assert (found.old_nano, found.new_nano) == (5 * NANO, 10 * NANO)
    workspace.confirm(found)
    assert workspace.balance_nano() == 90 * NANO
    ask = Ask.of(workspace.stores, ACME)
    run = history.find(ask, "r1").row(0, named=True)
    ref = RunRef(run["started_at"].replace(tzinfo=UTC), run["id_hash"])
    changes = rerating.changes_of(workspace.stores, ACME, ref, "credits")
    assert [(one.rerate.version, one.old_nano, one.new_nano) for one in changes] == [
        (2, 2 * NANO, 3 * NANO),
        (3, 3 * NANO, 5 * NANO),
    ]
    assert history.one(ask, ref).row["credits_nano"] == 2 * NANO
    assert usage.totals(ask, DAYS).credits == 4


def test_a_stale_preview_is_refused_in_words(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    dearer = workspace.add(a="0.03")
    stale, other = workspace.preview(dearer), workspace.preview(workspace.add(a="0.04"))
    elsewhere = workspace.preview(dearer, replace(DAYS, end=date(2026, 11, 21)))
    workspace.send({"started_at": "2026-11-22T10:00:00Z"})
    with pytest.raises(Conflict, match="1 runs of these days came in since the preview"):
        workspace.confirm(stale)
    workspace.confirm(elsewhere)
    with pytest.raises(Conflict, match="came in"):
        workspace.confirm(other)
    with pytest.raises(Conflict, match="Re-rate 1 was posted after this preview"):
        workspace.stores.control.write(lambda c: post_rerate(c, ACME, other.rerate, now=NOW))
    # 2 and 4 credits were used, by the version that was valid when each came, and 1 was corrected.
    assert workspace.balance_nano() == (100 - 2 - 4 - 1) * NANO
    with workspace.stores.control.read() as connection:
        assert len(list_rerates(connection, ACME)) == 1


def test_drafts_and_unknown_versions_are_not_posted(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    draft = workspace.preview(version(2, a="0.03"))
    assert (draft.is_draft, draft.new_nano) == (True, 3 * NANO)
    with pytest.raises(BadRequest, match="draft"):
        workspace.confirm(draft)
    with pytest.raises(NotFound, match="has no version 2"):
        workspace.stores.control.write(lambda c: post_rerate(c, ACME, draft.rerate, now=NOW))
    with pytest.raises(NotFound, match="no version 7; it has 1"):
        rerating.version_of(workspace.stores.books(ACME), "credits", 7)


def test_runs_that_burnt_nothing_change_no_balance(workspace: Workspace) -> None:
    """Runs from before the ledger, runs of files, and running ones."""
    workspace.send({"member": "early"})
    workspace.grant("g", 100)
    workspace.send({"member": "open", "status": "running"})
    runs = make_runs(40).with_columns(
        pl.lit("a").alias("model"),
        pl.lit("file").alias("member"),
        pl.lit("succeeded").alias("status"),
        pl.lit(100, pl.Int64).alias("output_tokens"),
        pl.lit(datetime(2026, 11, 18)).dt.cast_time_unit("us").alias("started_at"),  # noqa: DTZ001
    )
    workspace.stores.load_frames(ACME, [runs], name="file", rows=40)
    workspace.stores.apply_waiting()
    before = workspace.balance_nano()
    dearer = workspace.add(a="0.03")
    found = workspace.preview(dearer)
    assert found.runs == 41
    assert (found.new_nano - found.old_nano, found.unposted_nano) == (41 * NANO, 41 * NANO)
    assert workspace.preview(dearer, includes_imported=True).unposted_nano == NANO
    workspace.confirm(found)
    assert (workspace.balance_nano(), workspace.corrections()) == (before, [])
    assert workspace.differences() == ()


def test_an_import_that_is_taken_back_makes_a_preview_stale(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    old = make_runs(5)
    workspace.stores.load_frames(ACME, [old], name="file", rows=5)
    workspace.stores.apply_waiting()
    found = workspace.preview(workspace.add(a="0.03"))
    with workspace.stores.control.read() as connection:
        (past,) = list_imports(connection, ACME)
    workspace.stores.undo_import(ACME, past.id)
    with pytest.raises(Conflict, match="taken back after this preview"):
        workspace.confirm(found)


def test_limits_count_what_was_used_not_what_was_corrected(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({"member": "ana"})

    def used() -> list[Any]:
        with workspace.stores.control.read() as connection:
            return sorted(map(tuple, connection.execute(sa.select(usage_days))))

    before = used()
    workspace.confirm(workspace.preview(workspace.add(a="0.03")))
    assert used() == before != []


def test_what_was_posted_stays(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    workspace.confirm(workspace.preview(workspace.add(a="0.03")))
    change = sa.update(rerate_lines).values(runs=7)
    with pytest.raises(Exception, match="append-only"):
        workspace.stores.control.write(lambda c: c.execute(change))
    workspace.stores.control.write(
        lambda c: ledger_lines.post(c, ACME, [ledger_lines.Line("correction", "g", -5)], now=NOW)
    )
    assert any("a correction that no re-rate posted" in text for text in workspace.differences())


def test_a_failed_posting_leaves_nothing(workspace: Workspace) -> None:
    workspace.grant("g", 100)
    workspace.send({})
    found = workspace.preview(workspace.add(a="0.03"))

    def fails(connection: sa.Connection) -> None:
        post_rerate(connection, ACME, found.rerate, now=NOW)
        raise Damaged("the process ends here")

    with pytest.raises(Damaged):
        workspace.stores.control.write(fails)
    assert (workspace.balance_nano(), workspace.corrections()) == (98 * NANO, [])
    assert workspace.confirm(found) == 1


_RUN = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["a", "b", "free"]),
        "member": st.sampled_from(["ana", "ben", "caz"]),
        "project": st.sampled_from(["p", "q"]),
        "output_tokens": st.integers(0, 10**6),
        "status": st.sampled_from(["succeeded", "failed", "running"]),
        "started_at": st.integers(0, 20 * 24).map(
            lambda hours: f"{datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        ),
    }
)
_PRICE = st.integers(0, 10**7).map(lambda n: f"{n / Decimal(10**9):f}")
_PRICES = st.dictionaries(st.sampled_from(["a", "b"]), _PRICE, min_size=1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(_RUN, min_size=1, max_size=12),
    st.lists(st.tuples(_PRICES, st.integers(1, 21), st.integers(0, 20)), min_size=1, max_size=3),
    st.integers(1, 20_000),
)
def test_previews_lines_and_totals_agree(
    workspace: Workspace,
    runs: list[dict[str, Any]],
    rerates: list[tuple[dict[str, str], int, int]],
    granted: int,
) -> None:
    """Preview = posted lines = difference of totals, for each of several re-rates one after the other."""
    own = Workspace(workspace.stores, Scope(f"a{secrets.token_hex(4)}", "test", "operator"))
    own.grant("g", granted)
    own.send(*runs)
    costs = {number: price(run, {"a": "0.02"}) for number, run in enumerate(runs)}
    for prices, first, length in rerates:
        last = min(first + length, 30)
        days = replace(DAYS, start=date(2026, 11, first), end=date(2026, 11, last))
        covered = [n for n, run in enumerate(runs) if run["status"] != "running" and in_days(run, days)]
        wanted = {n: price(runs[n], prices) for n in covered}
        found = own.preview(own.add(**prices), days)
        assert found.old_nano == sum(costs[n] or 0 for n in covered)
        assert found.new_nano == sum(wanted[n] or 0 for n in covered)
        for dimension in ("project", "member"):
            rows = rerating.by_dimension(found.rerate, dimension)
            assert (sum(r[3] for r in rows), sum(r[4] for r in rows)) == (found.old_nano, found.new_nano)
        balance, count = own.balance_nano(), len(own.corrections())
        if not found.runs_changed:
            continue
        number = own.confirm(found)
        posted = sum(line.amount_nano for line in own.corrections()[count:])
        assert posted == own.balance_nano() - balance == found.old_nano - found.new_nano
        with own.stores.control.read() as connection:
            lines = [stored.line for stored in lines_of(connection, own.scope, number)]
        assert tuple(lines) == found.rerate.lines
        costs |= wanted
    assert own.differences() == ()


def price(run: dict[str, Any], prices: dict[str, str]) -> int | None:
    """What one run costs, rated alone."""
    book_version = version(1, **prices)
    book = PriceBook("credits", (book_version,))
    started_at = datetime.fromisoformat(run["started_at"])
    found = rate_run(book, PriceBook("cost"), {**run, "started_at": started_at})["credits_nano"]
    assert found is None or isinstance(found, int)
    return found


def in_days(run: dict[str, Any], days: Selection) -> bool:
    return days.start_at <= datetime.fromisoformat(run["started_at"]) < days.stop_at
