"""What the ledger must say, the plain way: lists of grants and usage; it shares no rule with what it checks."""

from collections import namedtuple
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

BERLIN, EVER = ZoneInfo("Europe/Berlin"), datetime(9999, 1, 1, tzinfo=UTC)
Given = namedtuple("Given", "id kind amount_nano priority effective_at expires_at created_at")


def span(now: datetime, window: str) -> tuple[int, int, datetime, date]:
    """Of the local week or month around a moment: its days, those from today on, its end and its first day."""
    today = now.astimezone(BERLIN).date()
    first = today.replace(day=1) if window == "month" else today - timedelta(days=today.weekday())
    last = (first + timedelta(days=32)).replace(day=1) if window == "month" else first + timedelta(days=7)
    end = datetime(last.year, last.month, last.day, tzinfo=BERLIN).astimezone(UTC)
    return (last - first).days, (last - today).days, end, first


class Reference:
    def __init__(self) -> None:
        self.grants, self.void, self.taken = list[Any](), set[str](), list[Any]()
        self.left, self.holds, self.keys, self.bought, self.charged = (dict[str, Any]() for _ in range(5))
        self.version, self.next_at = 0, EVER
        self.plan: Any = None

    def add(self, g: Any) -> None:
        if g.amount_nano:
            self.grants.append(g)
            self.left[g.id] = g.amount_nano

    def give(self, g: Any) -> None:
        self.catch_up(g.created_at)
        self.add(g)
        self.settle(g.created_at)

    def catch_up(self, now: datetime) -> None:
        while self.plan and (start := self.next_at) <= now:
            kept = min(self.settle(start), self.plan.roll_over_nano)
            self.charge(start - timedelta(hours=1), start)
            _, _, end, first = span(start, self.plan.window)
            name, self.next_at, all_nano = f"plan:{self.version}:{first}", end, self.plan.allowance_nano
            self.add(Given(f"{name}:rolled-over", "allowance", kept, 49, start, end, start))
            self.add(Given(name, "allowance", all_nano, 50, start, end, start))
        self.settle(now)

    def charge(self, within: datetime, now: datetime) -> None:
        owed = sum(each for _, _, each in self.taken)
        if owed and self.plan.overage_price_nano is not None:
            name = f"plan:{self.version}:{span(within, self.plan.window)[3]}:overage"
            self.charged[name] = Fraction(owed * self.plan.overage_price_nano, 10**9)
            self.add(Given(name, "purchase", owed, 100, now, None, now))
            self.settle(now)

    def order(self, grants: list[Any]) -> list[Any]:
        return sorted(grants, key=lambda g: (g.priority, g.expires_at or EVER, g.kind != "promotion",
                                             g.effective_at, g.created_at, g.id))  # fmt: skip

    def take(self, able: list[Any], parts: dict[str, int], owed: int) -> int:
        for g in self.order(able):
            part = min(owed, self.left[g.id])
            self.left[g.id], owed, parts[g.id] = (
                self.left[g.id] - part,
                owed - part,
                parts.get(g.id, 0) + part,
            )
        return owed

    def settle(self, now: datetime) -> int:
        for place, (at, parts, owed) in enumerate(self.taken):
            able = [g for g in self.grants if g.effective_at <= now and (g.expires_at or EVER) > at]
            self.taken[place] = at, parts, self.take(able, parts, owed)
        ended = [g.id for g in self.grants if g.id in self.void or (g.expires_at or EVER) <= now]
        lost = sum(self.left[name] for name in ended if name.startswith("plan:"))
        self.left |= dict.fromkeys(ended, 0)
        return lost

    def open(self, now: datetime) -> list[Any]:
        return [g for g in self.grants if g.effective_at <= now < (g.expires_at or EVER)]

    def settled(self, now: datetime) -> int:
        return sum(self.left[g.id] for g in self.open(now)) - sum(owed for _, _, owed in self.taken)

    def use(self, amount: int, now: datetime) -> None:
        self.catch_up(now)
        parts: dict[str, int] = {}
        self.taken.append((now, parts, self.take(self.open(now), parts, amount)))
        self.top_up(self.settled(now), now)

    def top_up(self, left: int, now: datetime) -> None:
        month, more = f"{now.astimezone(BERLIN):%Y-%m}", 0
        before = self.bought.setdefault(month, [])
        low, each, most = astuple(self.plan.top_up) if self.plan and self.plan.top_up else (left, 1, 0)
        while left + more < low and sum(before) + more + each <= most:
            more += each
        if more:
            before.append(more)
            self.give(Given(f"auto:{month}:{len(before)}", "purchase", more, 100, now, None, now))

    def hold(self, name: str, amount: int, now: datetime, until: datetime) -> bool:
        def left() -> int:
            return self.settled(now) - sum(nano for nano, until in self.holds.values() if until > now)

        is_free = not (self.grants or self.taken) or (self.plan is not None and self.plan.allows_overage)
        if not is_free:
            self.catch_up(now)
            self.top_up(left(), now)
        if is_allowed := is_free or amount <= left():
            self.holds[name] = amount, until
        if not is_free:
            self.top_up(left(), now)
        return is_allowed

    def subscribe(self, plan: Any, now: datetime) -> None:
        self.catch_up(now)
        days, days_left, end, first = span(now, plan.window)
        amount = round(Fraction(plan.allowance_nano * days_left, days))
        if self.plan:
            self.charge(now, now)
            old = [n for n in self.left if n.startswith(f"plan:{self.version}:") and n.count(":") == 2]
            days, days_left, _, _ = span(now, self.plan.window)
            part = round(Fraction(self.plan.allowance_nano * days_left, days))
            amount = max(amount + sum(self.left[name] for name in old) - part, 0)
            self.void |= {name for name in old if self.left[name]}
        self.plan, self.version, self.next_at = plan, self.version + 1, end
        self.settle(now)
        self.add(Given(f"plan:{self.version}:{first}", "allowance", amount, 50, now, end, now))
        self.settle(now)

    def refund(self, place: int, now: datetime) -> None:
        self.catch_up(now)
        at, parts, _ = self.taken[place]
        self.left |= {
            name: 0 if name in self.void else self.left[name] + part for name, part in parts.items()
        }
        self.taken[place] = at, {}, 0
        self.settle(now)
