"""The sample workspace as a first start gives it: its ledger burns what its runs used, and nothing twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from warehouse_fixtures import NOW

from runs_analytics.analytics import usage
from runs_analytics.analytics.asking import Ask
from runs_analytics.commands import sample, sample_credits
from runs_analytics.control import ledger_lines
from runs_analytics.control.limits import limit_statuses
from runs_analytics.scope import Scope
from runs_analytics.selection import Selection
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.vocabulary import NANO

SCOPE = Scope(sample.ACCOUNT, "sample", "operator")


def test_a_sample_burns_the_credits_of_its_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "wait_until_applied", Stores.apply_waiting)
    with Stores.open(Settings(tmp_path / "data"), lambda: NOW) as stores:
        assert sample.load_sample_when_empty(stores, 4000, lambda share: None)
        ask = Ask.of(stores, SCOPE)
        today = NOW.date()
        days = Selection(today - timedelta(days=sample_credits.DAYS), today, ask.zone)
        used = int(usage.totals(ask, days).credits * NANO)
        with stores.control.read() as connection:
            entries = ledger_lines.entries(connection, SCOPE, limit=10_000)
            statuses = limit_statuses(connection, SCOPE, now=NOW)
    burnt = sum(-one.amount_nano for one in entries if one.kind in ("usage", "overage"))
    assert used > 0
    assert burnt == used
    assert any(status.use.settled_nano for status in statuses)
