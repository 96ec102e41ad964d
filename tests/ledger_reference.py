"""What the ledger must say, the plain way: lists of grants and usage; it shares no rule with what it checks."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

BERLIN, EVER = ZoneInfo("Europe/Berlin"), datetime(9999, 1, 1, tzinfo=UTC)


@dataclass
class Given:
    """A grant."""

    id: str
    kind: str
    amount_nano: int
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    created_at: datetime


def span(now: datetime, window: str) -> tuple[int, int, datetime, date]:
    """Of the local week or month around a moment: its days, those from today on, its end and its first day."""
    today = now.astimezone(BERLIN).date()
    first = today.replace(day=1) if window == "month" else today - timedelta(days=today.weekday())
    last = (first + timedelta(days=32)).replace(day=1) if window == "month" else first + timedelta(days=7)
    end = datetime(last.year, last.month, last.day, tzinfo=BERLIN).astimezone(UTC)
    return (last - first).days, (last - today).days, end, first


@dataclass
class Reference:
    grants: list[Any] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    void: set[str] = field(default_factory=set)
    taken: list[tuple[datetime, dict[str, int], int]] = field(default_factory=list)  # when, of which, owed
    holds: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    keys: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    bought: dict[str, list[int]] = field(default_factory=dict)
    charged: dict[str, Fraction] = field(default_factory=dict)
    plan: Any = None
    version: int = 0
    next_at: datetime = EVER

    def add(self, *given: Any) -> None:
        """Keep a grant: id, kind, amount, priority, start, end."""
        if given[2]:
            self.grants.append(Given(*given, created_at=given[4]))
            self.left[given[0]] = given[2]

    def catch_up(self, now: datetime) -> None:
        while self.plan and self.next_at <= now:
            start = self.next_at
            kept = min(self.settle(start), self.plan.roll_over_nano)
            self.charge(start - timedelta(hours=1), start)
            _, _, self.next_at, first = span(start, self.plan.window)
            name = f"plan:{self.version}:{first}"
            self.add(f"{name}:rolled-over", "allowance", kept, 49, start, self.next_at)
            self.add(name, "allowance", self.plan.allowance_nano, 50, start, self.next_at)
        self.settle(now)

    def charge(self, within: datetime, now: datetime) -> None:
        owed = sum(each for _, _, each in self.taken)
        if owed and self.plan.overage_price_nano is not None:
            name = f"plan:{self.version}:{span(within, self.plan.window)[3]}:overage"
            self.charged[name] = Fraction(owed * self.plan.overage_price_nano, 10**9)
            self.add(name, "purchase", owed, 100, now, None)
            self.settle(now)

    def order(self, grants: list[Any]) -> list[Any]:
        key = lambda g: (
            g.priority,
            g.expires_at or EVER,
            g.kind != "promotion",
            g.effective_at,
            g.created_at,
            g.id,
        )
        return sorted(grants, key=key)

    def take(self, able: list[Any], parts: dict[str, int], owed: int) -> int:
        for g in self.order(able):
            part = min(owed, self.left[g.id])
            self.left[g.id], owed = self.left[g.id] - part, owed - part
            parts[g.id] = parts.get(g.id, 0) + part
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

    def give(self, g: Any) -> None:
        self.catch_up(g.created_at)
        self.grants.append(g)
        self.left[g.id] = g.amount_nano
        self.settle(g.created_at)

    def use(self, amount: int, now: datetime) -> None:
        self.catch_up(now)
        parts: dict[str, int] = {}
        self.taken.append((now, parts, self.take(self.open(now), parts, amount)))
        self.top_up(now, 0)

    def top_up(self, now: datetime, held: int) -> None:
        rule, month, more = self.plan and self.plan.top_up, f"{now.astimezone(BERLIN):%Y-%m}", 0
        before = self.bought.setdefault(month, [])
        while rule and self.settled(now) - held + more < rule.threshold_nano:
            if sum(before) + more + rule.amount_nano > rule.ceiling_nano:
                break
            more += rule.amount_nano
        if more:
            before.append(more)
            self.add(f"auto:{month}:{len(before)}", "purchase", more, 100, now, None)
            self.settle(now)

    def hold(self, name: str, amount: int, now: datetime, until: datetime) -> bool:
        is_free = not (self.grants or self.taken) or (self.plan is not None and self.plan.allows_overage)
        self.holds = {name: one for name, one in self.holds.items() if one[1] > now}
        for is_asked in (True, False):
            if not is_free:
                self.catch_up(now)
                self.top_up(now, sum(nano for nano, _ in self.holds.values()))
            if is_asked:
                left = self.settled(now) - sum(nano for nano, _ in self.holds.values())
                is_allowed = is_free or amount <= left
                self.holds |= {name: (amount, until)} if is_allowed else {}
        return is_allowed

    def subscribe(self, plan: Any, now: datetime) -> None:
        self.catch_up(now)
        if self.plan:
            self.charge(now, now)
        parts = [
            round(Fraction(p.allowance_nano * left, days)) if p else 0
            for p in (self.plan, plan)
            for days, left, *_ in [span(now, (p or plan).window)]
        ]
        old = [g.id for g in self.grants if g.id.startswith(f"plan:{self.version}:") and g.id.count(":") == 2]
        amount = max(sum(self.left[name] for name in old) - parts[0] + parts[1], 0)
        self.void |= {name for name in old if self.left[name]}
        self.plan, self.version = plan, self.version + 1
        _, _, self.next_at, first = span(now, plan.window)
        self.settle(now)
        self.add(f"plan:{self.version}:{first}", "allowance", amount, 50, now, self.next_at)
        self.settle(now)

    def refund(self, place: int, now: datetime) -> None:
        self.catch_up(now)
        at, parts, _ = self.taken[place]
        for name, part in parts.items():
            self.left[name] += part
        self.taken[place] = at, {}, 0
        self.left |= dict.fromkeys(self.void, 0)
        self.settle(now)
