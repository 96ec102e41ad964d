"""Two hundred clients on the same caps: never over one, never a wrong block, whatever they and the server do."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ingest_fixtures import ACME, Setting, price_book

from runs_analytics.control import ledger, ledger_lines
from runs_analytics.control.authorizations import Authorization, check_holds, expire_holds
from runs_analytics.control.limit_uses import check_overruns
from runs_analytics.control.limits import set_limit
from runs_analytics.control.store import ControlStore
from runs_analytics.control.usage_days import all_held, values_in_period
from runs_analytics.control.writer import GroupCommitWriter
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.money.grants import Grant
from runs_analytics.money.limits import Limit
from runs_analytics.money.periods import period_of
from runs_analytics.scope import Scope
from runs_analytics.vocabulary import NANO
from runs_analytics.zones import zone_named

pytest_plugins = ("control_fixtures",)

AUTHORIZATIONS = int(os.environ.get("RUNS_TEST_AUTHORIZATIONS", "5000"))
CLIENTS = 200
MEMBERS = 20
GRANTED_NANO = 10**9 * NANO
BEFORE_MIDNIGHT = datetime(2026, 11, 30, 23, 59, 58, tzinfo=UTC)
"""The last moment of a day, a week and a month in the account's zone is met while clients ask."""

ADMIN = Scope("acme", "test")
DAY = timedelta(days=1)
A_DAY_S = 86_400
"""The longest that a hold may last."""

UTC_ZONE = zone_named("UTC")


class Clock:
    """Goes on by a millisecond with each look."""

    def __init__(self, start: datetime) -> None:
        self._now, self._lock = start, threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            self._now += timedelta(milliseconds=1)
            return self._now

    def skip(self, seconds: int) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


def nested(amount: int) -> tuple[Limit, ...]:
    """Caps of account, team and member over day, week and month, on credits and runs."""
    return (
        Limit("account-month", "account", "", "month", "credits", amount * 6 * NANO, True),
        Limit("account-day", "account", "", "day", "credits", amount * 4 * NANO, True),
        Limit("account-runs", "account", "", "week", "runs", amount * NANO, True),
        Limit("team-day", "team", "red", "day", "credits", amount * 2 * NANO, True),
        Limit("each-team", "team", None, "month", "credits", amount * 5 * NANO, True),
        Limit("each-member", "member", None, "day", "credits", amount * NANO // 4, True),
        Limit("told-only", "account", "", "day", "runs", 1 * NANO, False),
    )


@dataclass
class Office:
    """A store with caps, whose every commit is checked, and everything that clients ask of it."""

    control: ControlStore
    limits: Sequence[Limit]
    clock: Clock = field(default_factory=lambda: Clock(BEFORE_MIDNIGHT))
    answers: Counter[str] = field(default_factory=Counter)
    used_nano: int = 0

    def __post_init__(self) -> None:
        setting = Setting(self.control, credits=price_book("1"))
        self.accepter = setting.accepter
        self.authorizer = Authorizer(self.control, setting.terms, setting.lookup)
        now = self.clock()
        given = Grant("given", "purchase", GRANTED_NANO, 10, now, None, now)
        self.control.write(lambda c: ledger.add_grant(c, ADMIN, given))
        for limit in self.limits:
            self.control.write(lambda c, one=limit: set_limit(c, ADMIN, one, now=now))

    async def ask(self, run_id: str, tokens: int, ttl_s: int = 900, **names: str) -> Authorization:
        """Ask for one run; a refusal must be right by its own figures."""
        body = {
            "id": run_id,
            "service": "chat",
            "model": "m",
            "output_tokens": tokens,
            "ttl_s": ttl_s,
            **names,
        }
        answer = await self.authorizer.authorize_async(ACME, body, self.clock())
        self.answers[answer.state] += 1
        if answer.refusal is not None:
            why = {name: Decimal(answer.refusal[name]) for name in ("spent", "held", "wanted", "cap")}
            assert why["spent"] + why["held"] + why["wanted"] > why["cap"], answer.refusal
        return answer

    async def send(self, run_id: str, tokens: int, **names: str) -> None:
        """Send a run that is over."""
        now = self.clock()
        run = {"id": run_id, "service": "chat", "model": "m", "output_tokens": tokens, "status": "succeeded"}
        run |= {"started_at": now.isoformat(), "duration_ms": 5, **names}
        answers = await self.accepter.accept_async(ACME, [run], now)
        assert [a.status for a in answers] == ["accepted"], answers
        self.used_nano += tokens * NANO

    def check_end(self) -> None:
        """Once every hold is over nothing is held, and limits, overruns, ledger and usage agree."""
        self.clock.skip(A_DAY_S)
        now = self.clock()
        self.control.write(lambda c: expire_holds(c, ADMIN, now=now))
        with self.control.read() as connection:
            assert all_held(connection, ADMIN) == {}
            check_holds(connection, ADMIN)
            check_overruns(connection, ADMIN)
            ledger_lines.check_ledger(connection, ADMIN)
            left_nano = ledger.balance(connection, ADMIN, now=now).settled_nano
            months = [period_of(day, "month", UTC_ZONE) for day in (BEFORE_MIDNIGHT, BEFORE_MIDNIGHT + DAY)]
            used = [values_in_period(connection, ADMIN, "account", month) for month in months]
        counted_nano = sum(month[""][0].credits_nano for month in used if month)
        assert GRANTED_NANO - left_nano == self.used_nano == counted_nano


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts every commit, each of which is checked before it is made: no cap is exceeded in what it leaves."""
    seen: Counter[str] = Counter()
    attempt_all: Callable[..., Any] = GroupCommitWriter._attempt_all

    def checked(self: GroupCommitWriter, connection: Any, group: Any) -> Any:
        outcomes = attempt_all(self, connection, group)
        seen["over"] += len(exceeded(connection))
        seen["commits"] += 1
        return outcomes

    monkeypatch.setattr(GroupCommitWriter, "_attempt_all", checked)
    return seen


def exceeded(connection: sa.Connection) -> list[tuple[str, str, date]]:
    """The hard caps, values and windows whose `settled - overrun + held` is more than the cap, by plain sums."""
    sums: dict[tuple[str, str, date], list[int]] = {}
    used = connection.execute(sa.text("SELECT * FROM usage_days")).mappings().all()
    caps = connection.execute(sa.text("SELECT * FROM limits WHERE is_hard")).mappings().all()
    for cap in caps:
        for row in used:
            if row["dimension"] == cap["dimension"] and cap["value"] in (None, row["value"]):
                day = date.fromisoformat(str(row["day"]))
                window = {
                    "day": day,
                    "week": day - timedelta(days=day.weekday()),
                    "month": day.replace(day=1),
                }[cap["window"]]
                parts = sums.setdefault((cap["id"], row["value"], window), [0, cap["amount_nano"]])
                measure = cap["measure"] + "_nano"
                parts[0] += int(row[measure]) + int(row[f"held_{measure}"])
    for row in connection.execute(sa.text("SELECT * FROM limit_uses")).mappings():
        key = row["limit_id"], row["value"], date.fromisoformat(str(row["first_day"]))
        if key in sums:
            sums[key][0] -= int(row["overrun_nano"])
    return [key for key, (counted, cap_nano) in sums.items() if counted > cap_nano]


async def together(client: Callable[[int], Any]) -> None:
    await asyncio.gather(*(client(number) for number in range(CLIENTS)))


def test_of_equal_requests_exactly_as_many_start_as_there_is_room_for(
    control_url: str, tmp_path: Path, commits: Counter[str]
) -> None:
    room, each = AUTHORIZATIONS // 5, AUTHORIZATIONS // CLIENTS
    cap = Limit("cap", "account", "", "month", "credits", room * 3 * NANO, True)
    with ControlStore.open(tmp_path / "data", control_url) as control:
        # Hours before midnight, so that no second month brings room; and no hold ends while clients ask.
        office = Office(control, [cap], Clock(BEFORE_MIDNIGHT - timedelta(hours=20)))

        async def client(number: int) -> None:
            for turn in range(each):
                await office.ask(f"{number}-{turn}", 3, ttl_s=A_DAY_S)

        asyncio.run(together(client))
        assert office.answers == {"open": room, "refused": each * CLIENTS - room}
        assert commits["over"] == 0 < commits["commits"]
        office.check_end()


def test_no_cap_is_exceeded_and_nothing_is_blocked_wrongly(
    control_url: str, tmp_path: Path, commits: Counter[str]
) -> None:
    each = AUTHORIZATIONS // CLIENTS
    with ControlStore.open(tmp_path / "data", control_url) as control:
        office = Office(control, nested(AUTHORIZATIONS))

        async def client(number: int) -> None:
            dice = random.Random(number)
            for turn in range(each):
                await one_run(office, dice, f"{number}-{turn}")

        asyncio.run(together(client))
        assert office.answers["open"] > each * 5
        assert office.answers["refused"] > each
        assert commits["over"] == 0 < commits["commits"]
        office.check_end()


async def one_run(office: Office, dice: random.Random, run_id: str) -> None:
    """Ask, and then end as runs do: as estimated, smaller, larger, cancelled, abandoned; or never ask at all."""
    tokens = dice.randint(1, 40)
    names = {"team": dice.choice(["red", "blue"]), "member": f"m{dice.randrange(MEMBERS)}"}
    if dice.random() < 0.05:
        await office.send(f"x{run_id}", dice.randint(1, 20), **names)
    answer = await office.ask(run_id, tokens, ttl_s=1, **names)
    if answer.state != "open":
        return
    match dice.randrange(6):
        case 0:
            await office.send(run_id, tokens, **names)
        case 1:
            await office.send(run_id, dice.randint(1, tokens), **names)
        case 2:
            await office.send(run_id, tokens + dice.randint(1, 20), **names)
        case 3:
            await office.send(run_id, tokens, team="green", member="late")
        case 4:
            try:
                await office.authorizer.cancel_async(ACME, run_id, "(none)", office.clock())
            except Exception as problem:
                raise AssertionError(f"cancel failed: {problem!r}") from problem
        case _:
            """Abandoned: its hold ends by its TTL."""
