"""What a scenario changes and what that comes to, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from runs_analytics.analytics.what_if import WhatIf
from runs_analytics.money.plan_costs import Bill
from runs_analytics.money.scenarios import (
    Batched,
    Change,
    Draft,
    Growth,
    Moved,
    Off,
    Priced,
    Scenario,
    Where,
)
from runs_analytics.ui import format as fmt
from runs_analytics.ui.words import DIMENSION_TITLES, shortened, value_title

BOOK_TITLES: Final[Mapping[str, str]] = {"credits": "Credit prices", "cost": "Provider’s prices"}
_NAMED: Final = 2
"""Values that a change names before it counts them."""


def change_text(one: Change, plans: Mapping[str, str]) -> str:
    """A change in a few words: `Model large-3 → small-3`.

    Args:
        one: the change.
        plans: names of plans by id.
    """
    match one:
        case Off():
            return f"Without {where_text(one.where)}"
        case Moved():
            return f"{where_text(one.where) or 'Every model'} → {one.to}"
        case Batched():
            return _about(f"{fmt.integer(one.runs)} runs in one", one.where)
        case Growth():
            return _about(f"{signed(one.percent)} runs", one.where)
        case Priced():
            return _about(f"{BOOK_TITLES[one.book]} {signed(one.percent)}", one.where)
        case Draft():
            count = len(one.version.prices)
            return f"{BOOK_TITLES[one.book]} of version {one.version.version} ({fmt.integer(count)} prices)"
    return f"Plan {plans.get(one.plan, one.plan)}"


def changes_text(scenario: Scenario, plans: Mapping[str, str]) -> str:
    """All changes of a scenario in their order."""
    return "; ".join(change_text(one, plans) for one in scenario.changes) or "nothing changes"


def where_text(where: Where) -> str:
    """A condition in words: `Project web, api`; empty for every run."""
    texts = []
    for dimension, values in where:
        named = [shortened(value_title(dimension, value)) for value in values[:_NAMED]]
        more = f" +{len(values) - _NAMED}" if len(values) > _NAMED else ""
        texts.append(f"{DIMENSION_TITLES[dimension]} {', '.join(named)}{more}")
    return " · ".join(texts)


def signed(percent: Decimal) -> str:
    """A percentage with its sign."""
    return f"{'+' if percent > 0 else '−' if percent < 0 else ''}{abs(percent):f} %"


def sentence(found: WhatIf, plans: Mapping[str, str]) -> str:
    """What the scenario comes to, beside what was."""
    days = "This day" if found.selection.days == 1 else f"These {found.selection.days} days"
    before, after = found.before, found.after
    if not found.scenario.changes:
        return (
            f"{days} used {fmt.credits(before.credits)} credits and cost {fmt.money(before.cost, found.currency)}. "
            "Add a change to see what they would have been."
        )
    used = _beside(before.credits, after.credits, fmt.credits, " credits")
    cost = _beside(before.cost, after.cost, lambda amount: fmt.money(amount, found.currency))
    return f"{days} would have used {used}, and cost {cost}.{_plan_sentence(found, plans)}"


def gaps(found: WhatIf) -> str:
    """How many runs the sums leave out, in a sentence; empty when they leave out none."""
    texts = [
        f"{runs_text(was)} runs without a price in {unit}"
        + ("" if was == then else f" ({runs_text(then)} with these changes)")
        for unit, was, then in (
            ("credits", found.before.unpriced, found.after.unpriced),
            ("money", found.before.uncosted, found.after.uncosted),
        )
        if was or then
    ]
    return f"Not in these sums: {'; '.join(texts)}." if texts else ""


def uncharged(bill: Bill | None) -> str:
    """What the plan would have refused, in a sentence; empty when nothing."""
    if bill is None or not bill.uncharged_nano:
        return ""
    amount = fmt.credits(fmt.from_nano(bill.uncharged_nano))
    return (
        f"{bill.plan.name} covers {amount} credits less than were used and has no price for them: it would have "
        "refused that work, or more credits would have had to be bought."
    )


def runs_text(runs: Decimal | None) -> str:
    """Whole runs as such; of growth, with a decimal below a hundred."""
    if runs is None:
        return fmt.ABSENT
    return fmt.integer(int(runs)) if runs == runs.to_integral_value() else fmt.credits(runs)


def _plan_sentence(found: WhatIf, plans: Mapping[str, str]) -> str:
    now, then = found.before.bill, found.after.bill
    if then is None:
        return ""
    name = plans.get(then.plan.id, then.plan.name)
    money = fmt.money(fmt.from_nano(then.money_nano), found.currency)
    if now is None:
        return f" On the plan {name} they would have taken {money}."
    if (now.plan, now.money_nano) == (then.plan, then.money_nano):
        return f" The plan {name} would have taken {money} either way."
    was = fmt.money(fmt.from_nano(now.money_nano), found.currency)
    return f" On the plan {name} they would have taken {money} instead of {was} on {now.plan.name}."


def _beside(before: Decimal, after: Decimal, text: Callable[[Decimal], str], noun: str = "") -> str:
    """An amount beside what it was: `12 credits instead of 10 (2 more, 20.0 %)`."""
    if before == after:
        return f"the same {text(after)}{noun}"
    amount = text(abs(after - before))
    share = f", {fmt.percent(abs(float(after / before) - 1))}" if before else ""
    side = "more" if after > before else "less"
    return f"{text(after)}{noun} instead of {text(before)} ({amount} {side}{share})"


def _about(text: str, where: Where) -> str:
    named = where_text(where)
    return f"{text} · {named}" if named else text
