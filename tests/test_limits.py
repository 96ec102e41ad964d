"""Limits and holds, case by case: what is refused and why, what a hold does, what goes past a limit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from ingest_fixtures import ACME, NOW, Setting, event

from runs_analytics.control import ledger
from runs_analytics.control.authorizations import Authorization, expire_holds
from runs_analytics.control.limits import (
    LimitStatus,
    limit_statuses,
    list_crossings,
    list_overruns,
    remove_limit,
    set_limit,
)
from runs_analytics.control.store import ControlStore
from runs_analytics.errors import BadRequest, Conflict, NotAllowed, NotFound
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.money.grants import Grant
from runs_analytics.money.limits import Limit
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NANO

pytest_plugins = ("control_fixtures",)

ADMIN = Scope("acme", "test")
MINUTE = timedelta(minutes=1)


def limit(amount: int, **changes: Any) -> Limit:
    given = {"dimension": "account", "value": "", "window": "day", "measure": "credits", "is_hard": True}
    given |= changes
    name = "-".join(str(given[part]) for part in ("dimension", "value", "window", "measure"))
    return Limit(name, amount_nano=amount * NANO, **given)


class Desk:
    """An account, its limits, and what is asked and sent."""

    def __init__(self, control: ControlStore) -> None:
        self.control, self.setting, self.now = control, Setting(control), NOW
        self.authorizer = Authorizer(control, self.setting.terms, self.setting.lookup)

    def limit(self, one: Limit) -> None:
        self.control.write(lambda c: set_limit(c, ADMIN, one, now=self.now))

    def ask(self, run_id: str, wanted: str, **fields: Any) -> Authorization:
        body = {"id": run_id, "service": "chat", "credits": wanted, **fields}
        return self.authorizer.authorize(ACME, body, self.now)

    def send(self, run_id: str, used: int, **fields: Any) -> None:
        run = event(run_id, output_tokens=used * 50, started_at=self.now.isoformat(), **fields)
        (answer,) = self.setting.accepter.accept(ACME, [run], self.now)
        assert answer.status == "accepted"

    def standing(self, place: int = 0) -> tuple[int, int, int, int]:
        """Settled, held, overrun and left of a limit, in whole credits."""
        status = self.statuses()[place]
        use = status.use
        return tuple(  # type: ignore[return-value]
            n // NANO for n in (use.settled_nano, use.held_nano, use.overrun_nano, status.left_nano)
        )

    def statuses(self) -> tuple[LimitStatus, ...]:
        with self.control.read() as connection:
            return limit_statuses(connection, ADMIN, now=self.now)


@pytest.fixture
def desk(control_url: str, tmp_path: Path) -> Iterator[Desk]:
    with ControlStore.open(tmp_path / "data", control_url) as control:
        yield Desk(control)


def test_what_fits_exactly_may_start_and_a_billionth_more_may_not(desk: Desk) -> None:
    desk.limit(limit(10))
    assert desk.ask("a", "4").state == "open"
    assert desk.ask("b", "6").state == "open"
    assert desk.standing() == (0, 10, 0, 0)
    refused = desk.ask("c", "0.000000001")
    assert refused.state == "refused"
    assert refused.refusal is not None
    assert refused.refusal | {"resets_at": ""} == {
        "code": "limit_reached",
        "wanted": "0.000000001",
        "limit": "account--day-credits",
        "scope": {"dimension": "account", "value": ""},
        "window": "day",
        "measure": "credits",
        "cap": "10",
        "spent": "0",
        "held": "10",
        "resets_at": "",
    }
    assert refused.refusal["resets_at"] == "2026-11-23T00:00:00Z"
    assert desk.ask("d", "0").state == "open", "what adds nothing is never refused"


def test_asking_again_gets_the_same_answer_and_holds_once(desk: Desk) -> None:
    desk.limit(limit(10))
    first = desk.ask("a", "4")
    assert desk.ask("a", "4") == first
    assert desk.standing() == (0, 4, 0, 6)
    desk.ask("b", "7")
    desk.limit(limit(100))
    assert desk.ask("b", "7").state == "refused", "an answer is final, whatever changes"
    with pytest.raises(Conflict, match="other content"):
        desk.ask("a", "5")


def test_a_run_that_is_over_cannot_be_asked_for(desk: Desk) -> None:
    desk.send("a", 1)
    with pytest.raises(Conflict, match="is over already"):
        desk.ask("a", "1")


@pytest.mark.parametrize(
    ("used", "standing"),
    [
        (4, (4, 0, 0, 6)),
        (1, (1, 0, 0, 9)),
        (9, (9, 0, 0, 1)),
        (13, (13, 0, 3, 0)),
    ],
)
def test_settling_frees_the_hold_and_counts_what_was_used(
    desk: Desk, used: int, standing: tuple[int, ...]
) -> None:
    desk.limit(limit(10))
    desk.ask("a", "4")
    desk.send("a", used)
    assert desk.standing() == standing


def test_a_run_larger_than_its_hold_does_not_take_what_others_hold(desk: Desk) -> None:
    desk.limit(limit(10))
    desk.ask("a", "4")
    desk.ask("b", "5")
    desk.send("a", 7)
    assert desk.standing() == (7, 5, 2, 0)
    with desk.control.read() as connection:
        (over,) = list_overruns(connection, ADMIN)
    assert (over.run_id, over.kind, over.amount_nano) == ("a", "above_hold", 2 * NANO)
    desk.send("b", 5)
    assert desk.standing() == (12, 0, 2, 0)


def test_a_run_that_never_asked_counts_and_is_itemised(desk: Desk) -> None:
    desk.limit(limit(10))
    desk.send("a", 12)
    assert desk.standing() == (12, 0, 2, 0)
    with desk.control.read() as connection:
        assert [(o.run_id, o.kind) for o in list_overruns(connection, ADMIN)] == [("a", "unauthorized")]
    assert desk.ask("b", "1").state == "refused"


def test_a_hold_ends_by_its_time_and_its_run_counts_all_the_same(desk: Desk) -> None:
    desk.limit(limit(10))
    desk.ask("a", "10", ttl_s=60)
    desk.now += MINUTE
    assert desk.control.write(lambda c: expire_holds(c, ADMIN, now=desk.now)) == 1
    assert desk.standing() == (0, 0, 0, 10)
    assert desk.ask("b", "3").state == "open"
    desk.send("a", 8)
    assert desk.standing() == (8, 3, 1, 0)


def test_cancelling_frees_the_hold_once(desk: Desk) -> None:
    desk.limit(limit(10))
    desk.ask("a", "10")
    for _ in range(2):
        desk.authorizer.cancel(ACME, "a", "(none)", desk.now)
    assert desk.standing() == (0, 0, 0, 10)
    with pytest.raises(NotFound):
        desk.authorizer.cancel(ACME, "b", "(none)", desk.now)
    desk.ask("c", "11")
    with pytest.raises(Conflict, match="refused"):
        desk.authorizer.cancel(ACME, "c", "(none)", desk.now)
    desk.ask("d", "1")
    desk.send("d", 1)
    with pytest.raises(Conflict, match="settled"):
        desk.authorizer.cancel(ACME, "d", "(none)", desk.now)


def test_a_run_counts_in_the_day_in_which_it_was_let_start(desk: Desk) -> None:
    desk.limit(limit(10))
    desk.now = datetime.fromisoformat("2026-11-22T23:59:59+00:00")
    desk.ask("a", "4")
    desk.now += MINUTE
    desk.send("a", 4)
    assert desk.standing() == (0, 0, 0, 10), "the new day"
    desk.now -= 2 * MINUTE
    assert desk.standing() == (4, 0, 0, 6), "the day before"


def test_each_limit_must_have_room_and_the_longest_wait_is_told(desk: Desk) -> None:
    desk.limit(limit(10, window="day"))
    desk.limit(limit(10, window="month"))
    desk.limit(limit(2, dimension="team", value=None, window="week"))
    assert desk.ask("a", "2", team="red").state == "open"
    refused = desk.ask("b", "1", team="red").refusal
    assert refused is not None
    assert (refused["window"], refused["scope"]) == ("week", {"dimension": "team", "value": "red"})
    assert desk.ask("c", "2", team="blue").state == "open", "each team has the limit for itself"
    assert desk.ask("d", "6").state == "open", "a run without a team is under no team's limit"
    refused = desk.ask("e", "1").refusal
    assert refused is not None
    assert (refused["window"], refused["held"]) == ("month", "10")


@pytest.mark.parametrize(
    ("measure", "amount", "body"),
    [("runs", 1, {"credits": "0"}), ("cost", 1, {"credits": "1", "cost": "1.5"})],
)
def test_runs_and_cost_have_limits_too(desk: Desk, measure: str, amount: int, body: dict[str, str]) -> None:
    desk.limit(limit(amount, measure=measure))
    answers = [
        desk.authorizer.authorize(ACME, {"id": f"r{n}", "service": "chat", **body}, desk.now) for n in (1, 2)
    ]
    assert [a.state for a in answers] == (
        ["open", "refused"] if measure == "runs" else ["refused", "refused"]
    )


def test_a_soft_limit_only_tells(desk: Desk) -> None:
    desk.limit(limit(10, is_hard=False))
    assert desk.ask("a", "40").state == "open"
    desk.send("a", 9)
    with desk.control.read() as connection:
        assert [c.percent for c in list_crossings(connection, ADMIN)] == [80, 50]
    desk.send("b", 9)
    with desk.control.read() as connection:
        assert [c.percent for c in list_crossings(connection, ADMIN)] == [100, 80, 50]
        assert list_overruns(connection, ADMIN) == ()


def test_a_new_limit_counts_what_was_used_before_it(desk: Desk) -> None:
    desk.send("a", 8)
    desk.limit(limit(10))
    assert desk.standing() == (8, 0, 0, 2)
    assert desk.ask("b", "3").state == "refused"
    desk.control.write(lambda c: remove_limit(c, ADMIN, "account--day-credits", now=desk.now))
    assert desk.statuses() == ()
    assert desk.ask("c", "3").state == "open"


def test_without_credits_nothing_starts(desk: Desk) -> None:
    given = Grant("g", "purchase", 10 * NANO, 10, NOW, None, NOW)
    desk.control.write(lambda c: ledger.add_grant(c, ADMIN, given))
    assert desk.ask("a", "6").state == "open"
    refused = desk.ask("b", "5").refusal
    assert refused == {"code": "credits_exhausted", "wanted": "5", "left": "4", "measure": "credits"}
    assert desk.ask("c", "4").state == "open"
    desk.send("a", 10)
    assert desk.ask("d", "0.1").state == "refused"


def test_a_refused_run_is_kept_as_blocked_until_it_comes_all_the_same(desk: Desk) -> None:
    desk.limit(limit(0))
    desk.ask("a", "1", team="red")
    (run,) = desk.setting.inbox().iter_rows(named=True)
    assert (run["id"], run["status"], run["team"], run["credits_nano"]) == ("a", "blocked", "red", None)
    assert run["error"].startswith(
        "Refused by limit account--day-credits: 0 credits per day, 0 spent, 0 held"
    )
    desk.send("a", 1)
    assert desk.standing() == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount_nano": -1}, "below 0"),
        ({"window": "hour"}, "Unknown window 'hour'"),
        ({"measure": "tokens"}, "Unknown measure 'tokens'"),
        ({"dimension": "model", "value": "x"}, "Unknown dimension 'model'"),
        ({"dimension": "team", "value": ""}, "name a value"),
        ({"value": None}, "name a value"),
        ({"thresholds": (80, 50)}, "rising percents"),
        ({"thresholds": (0,)}, "rising percents"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_in_words(changes: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {
        "dimension": "account",
        "value": "",
        "window": "day",
        "measure": "credits",
        "amount_nano": 1,
        "is_hard": True,
    }
    with pytest.raises(BadRequest, match=says):
        Limit("x", **(given | changes))


def test_only_managers_change_limits(desk: Desk) -> None:
    for role in ("analyst", "member", "ingest", "authorize"):
        scope = Scope("acme", "key:x", role, "x" if role == "member" else None)  # type: ignore[arg-type]
        with pytest.raises(NotAllowed, match=r"limits\.manage is for one of"):
            desk.control.write(lambda c, s=scope: set_limit(c, s, limit(1), now=NOW))
        with pytest.raises(NotAllowed, match=r"limits\.manage is for one of"):
            desk.control.write(lambda c, s=scope: remove_limit(c, s, "x", now=NOW))


def test_a_limit_cannot_become_one_on_something_else(desk: Desk) -> None:
    desk.limit(limit(10))
    other = Limit("account--day-credits", "account", "", "month", "credits", NANO, True)
    with pytest.raises(BadRequest, match="an id of its own"):
        desk.limit(other)
