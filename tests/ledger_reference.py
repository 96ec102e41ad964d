"""What the ledger must say, the plain way: lists of grants and usage; it shares no rule with what it checks."""

from collections import namedtuple
from dataclasses import astuple
from datetime import UTC, date, datetime, time, timedelta
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
    return (last - first).days, (last - today).days, datetime.combine(last, time(), BERLIN), first


def prorated(plan: Any, now: datetime) -> int:
    days, days_left, _, _ = span(now, plan.window if plan else "month")
    return round(Fraction(plan.allowance_nano * days_left, days)) if plan else 0


def order(g: Any) -> tuple[Any, ...]:
    return g.priority, g.expires_at or EVER, g.kind != "promotion", g.effective_at, g.created_at, g.id


class Reference:
    def __init__(self) -> None:
        self.left, self.holds, self.keys, self.bought, self.charged = (dict[str, Any]() for _ in range(5))
        self.grants, self.taken, self.void, self.version, self.due, self.plan = [], [], set(), 0, EVER, None

    def add(self, g: Any) -> None:
        self.grants += [g] * bool(g.amount_nano)
        self.left |= {g.id: g.amount_nano} if g.amount_nano else {}
        self.settle(g.created_at)

    def give(self, g: Any) -> None:
        self.catch_up(g.created_at)
        self.add(g)

    def catch_up(self, now: datetime) -> None:
        while self.plan and (start := self.due) <= now:
            kept = min(self.settle(start), self.plan.roll_over_nano)
            self.charge(start - timedelta(hours=1), start)
            _, _, end, first = span(start, self.plan.window)
            name, self.due, all_nano = f"plan:{self.version}:{first}", end, self.plan.allowance_nano
            self.add(Given(f"{name}:rolled-over", "allowance", kept, 49, start, end, start))
            self.add(Given(name, "allowance", all_nano, 50, start, end, start))
        self.settle(now)

    def charge(self, within: datetime, now: datetime) -> None:
        owed = sum(each for *_, each in self.taken)
        if owed and self.plan and self.plan.overage_price_nano is not None:
            name = f"plan:{self.version}:{span(within, self.plan.window)[3]}:overage"
            self.charged[name] = Fraction(owed * self.plan.overage_price_nano, 10**9)
            self.add(Given(name, "purchase", owed, 100, now, None, now))

    def settle(self, now: datetime) -> int:
        for place, (at, parts, owed) in enumerate(self.taken):
            if not owed:
                continue
            able = [g for g in self.grants if g.effective_at <= now and (g.expires_at or EVER) > at]
            for g in sorted(able, key=order):
                parts[g.id] = parts.get(g.id, 0) + (part := min(owed, self.left[g.id]))
                self.left[g.id], owed = self.left[g.id] - part, owed - part
            self.taken[place] = at, parts, owed
        ended = [g.id for g in self.grants if g.id in self.void or (g.expires_at or EVER) <= now]
        lost = sum(self.left[name] for name in ended if name.startswith("plan:"))
        self.left |= dict.fromkeys(ended, 0)
        return lost

    def remaining(self, now: datetime) -> list[tuple[str, int]]:
        current = [g for g in self.grants if g.effective_at <= now < (g.expires_at or EVER)]
        return [(g.id, self.left[g.id]) for g in sorted(current, key=order) if self.left[g.id]]

    def spare(self, now: datetime, *, held: bool = True) -> int:
        holds = [nano for nano, until in self.holds.values() if held and until > now]
        return (
            sum(left for _, left in self.remaining(now)) - sum(owed for *_, owed in self.taken) - sum(holds)
        )

    def use(self, amount: int, now: datetime) -> None:
        self.catch_up(now)
        self.taken.append((now, {}, amount))
        self.settle(now)
        self.top_up(self.spare(now, held=False), now)

    def top_up(self, left: int, now: datetime) -> None:
        before = self.bought.setdefault(month := f"{now.astimezone(BERLIN):%Y-%m}", [])
        rule = self.plan.top_up if self.plan and (self.grants or self.taken) else None
        low, each, most = astuple(rule) if rule else (left, 1, 0)
        if more := each * max(0, min(-((left - low) // each), (most - sum(before)) // each)):
            before.append(more)
            self.give(Given(f"auto:{month}:{len(before)}", "purchase", more, 100, now, None, now))

    def hold(self, name: str, amount: int, now: datetime, until: datetime) -> bool:
        is_free = not (self.grants or self.taken) or (self.plan is not None and self.plan.allows_overage)
        self.catch_up(now)
        self.top_up(self.spare(now), now)
        if is_allowed := is_free or amount <= self.spare(now):
            self.holds[name] = amount, until
        self.top_up(self.spare(now), now)
        return is_allowed

    def subscribe(self, plan: Any, now: datetime) -> None:
        self.catch_up(now)
        self.charge(now, now)
        _, _, end, first = span(now, plan.window)
        old = [n for n in self.left if n.startswith(f"plan:{self.version}:") and n.count(":") == 2]
        amount = max(prorated(plan, now) - prorated(self.plan, now) + sum(self.left[n] for n in old), 0)
        self.void |= {name for name in old if self.left[name]}
        self.plan, self.version, self.due = plan, self.version + 1, end
        self.settle(now)
        self.add(Given(f"plan:{self.version}:{first}", "allowance", amount, 50, now, end, now))

    def refund(self, place: int, now: datetime) -> None:
        self.catch_up(now)
        parts, self.taken[place] = self.taken[place][1], (now, {}, 0)
        self.left |= {n: 0 if n in self.void else self.left[n] + part for n, part in parts.items()}
        self.settle(now)
