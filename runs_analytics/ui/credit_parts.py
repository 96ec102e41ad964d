"""The parts of the Credits page: cards, burn-down, grants and statement, as values that exports share."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics import credits as credit
from runs_analytics.analytics.credits import Standing
from runs_analytics.exports.document import Column
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.plans import overage_money
from runs_analytics.roles import may
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.figures import CHART_PX
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable, Width, frame_of
from runs_analytics.ui.theme import current_theme
from runs_analytics.zones import local_midnight, zone_named

AHEAD_DAYS: Final = 45
_GRANT_KINDS: Final = {"allowance": "Allowance", "purchase": "Purchase", "promotion": "Promotion"}


def text(nano: int) -> str:
    """Credits of billionths, as a card shows them."""
    return fmt.credits(fmt.from_nano(nano))


def overview_cards(view: View) -> list[Card]:
    """Credits left, allowance and run-out date, without a course; none for an account without a ledger."""
    if not may(view.ask.scope, "credits.read"):
        return []
    found = credit.standing(view.session.stores, view.ask.scope, view.session.now)
    shown = cards(view, found)[1:4] if found.is_kept else []
    return [replace(card, course=()) for card in shown]


def cards(view: View, found: Standing) -> list[Card]:
    """The headline numbers: settled, after holds, allowance, run-out date and rate."""
    stores, scope, zone = view.session.stores, view.ask.scope, zone_named(view.session.account.zone)
    compared = view.compared
    earlier = (
        credit.balance_at(stores, scope, local_midnight(compared.end + timedelta(days=1), zone))
        if compared
        else None
    )
    settled = fmt.from_nano(found.balance.settled_nano)
    course = credit.burn_down(stores, scope, view.selection, view.session.now)["balance_nano"].to_list()
    given = found.allowance
    plan = found.subscription
    out = found.runs_out_at
    return [
        Card("Settled balance", text(found.balance.settled_nano), help=_overage_help(found)),
        Card(
            "Credits left",
            text(found.after_holds_nano),
            fmt.change(settled, earlier) if earlier and earlier > 0 else None,
            course=tuple(float(nano) / 1e9 for nano in course),
            help=f"The settled balance less {text(found.held_nano)} held for runs that may start.",
        ),
        Card(
            "Allowance left",
            text(found.allowance_left_nano) if plan else "no plan",
            help=f"Of {text(given.amount_nano)} until {_day(view, given.expires_at)}." if given else None,
        ),
        Card(
            "Run out at this rate",
            _day(view, out) if out else "not in a year",
            help=f"At {text(found.per_day_nano)} credits a day, the mean of the last {credit.RATE_DAYS} days, "
            "with the plan's next allowances and without top-ups.",
        ),
        Card("Present rate", f"{text(found.per_day_nano)} a day", help="Mean of the last 7 times 24 hours."),
    ]


def burn_down(view: View, found: Standing) -> None:
    """The balance by local day, and how it goes on at the present rate."""
    zone = zone_named(view.session.account.zone)
    past = credit.burn_down(view.session.stores, view.ask.scope, view.selection, view.session.now)
    rows = [(day, "Balance", nano / 1e9) for day, nano in past.iter_rows()]
    today = view.session.today
    if view.selection.end >= today:
        last = {at.astimezone(zone).date(): nano for at, nano in found.ahead}
        rows += [
            (day, "At the present rate", nano / 1e9)
            for day, nano in last.items()
            if day <= today + timedelta(days=min(AHEAD_DAYS, view.selection.days))
        ]
    frame = pl.DataFrame(rows, {"bucket": pl.Date, "value": pl.String, "amount": pl.Float64}, orient="row")
    chart = charts.lines_over_time(
        frame,
        theme=current_theme(),
        measure_title="Balance",
        unit=charts.CREDITS,
        grain="day",
        value_title="Line",
        order=["Balance", "At the present rate"],
        selectable=False,
        height_px=CHART_PX - 40,
    )
    st.altair_chart(chart, theme=None)


def grants_table(view: View) -> ShownTable:
    """Every grant, with what is left of it and when it expires; those with something left first."""
    rows = [
        {
            "grant": grant.id,
            "kind": _GRANT_KINDS[grant.kind],
            "left": fmt.from_nano(left_nano),
            "amount": fmt.from_nano(grant.amount_nano),
            "effective": _day(view, grant.effective_at),
            "expires": _day(view, grant.expires_at),
            "note": note,
        }
        for grant, left_nano, note in sorted(
            credit.grants(view.session.stores, view.ask.scope), key=lambda found: not found[1]
        )
    ]
    columns = (
        Column("grant", "Grant", "text"),
        Column("left", "Left", "credits"),
        Column("amount", "Given", "credits"),
        Column("kind", "Kind", "text"),
        Column("effective", "From", "text"),
        Column("expires", "Expires", "text"),
        Column("note", "Note", "text"),
    )
    widths: dict[str, Width] = {"grant": 165, "kind": 95, "effective": 110, "expires": 110}
    return ShownTable("grants", "Grants", columns, frame_of(rows, columns), widths=widths)


def _day(view: View, at: datetime | None) -> str:
    if at is None:
        return "never"
    local = at.astimezone(zone_named(view.session.account.zone)).date()
    return fmt.date_range(local, local)


def _overage_help(found: Standing) -> str | None:
    owed = found.balance.overage_nano
    return f"Includes {text(owed)} of overage, which the next grant pays." if owed else None


def overage_text(view: View, found: Standing) -> str | None:
    """What is used beyond the credits, at which price, and when it is charged; None without such a price."""
    plan = found.subscription.plan if found.subscription else None
    if plan is None or plan.overage_price_nano is None:
        return None
    owed, currency = found.balance.overage_nano, view.ask.currency
    money = fmt.money(fmt.from_nano(overage_money(owed, plan.overage_price_nano)), currency)
    price = decimal_string(plan.overage_price_nano)
    if not owed:
        return f"No overage so far; a credit of it costs {price} {currency}."
    return (
        f"Overage {text(owed)} credits at {price} {currency} each: {money}, charged when the {plan.window} ends "
        "for what no credits have paid by then."
    )
