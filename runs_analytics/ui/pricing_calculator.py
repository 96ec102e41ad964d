"""The Pricing page's calculator: what a run would cost, with the lines that add up to it."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from runs_analytics.analytics import pricing
from runs_analytics.analytics.pricing import Edition
from runs_analytics.analytics.rating_lines import lines_of
from runs_analytics.exports.document import Column
from runs_analytics.money.amounts import decimal_string
from runs_analytics.money.periods import Window
from runs_analytics.money.price_book import (
    BOOK_KINDS,
    DURATION_S,
    RUN,
    UNCACHED_INPUT_TOKENS,
    UNIT_PREFIX,
    BookKind,
    PriceBook,
    PriceVersion,
)
from runs_analytics.money.price_parts import CONDITION_DIMENSIONS
from runs_analytics.money.rating import RatingLine
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts, pricing_book
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.parts import Card
from runs_analytics.ui.runs_rating import measure_title
from runs_analytics.ui.tables import ShownTable, frame_of, grid
from runs_analytics.ui.words import DIMENSION_TITLES
from runs_analytics.vocabulary import NANO, NONE, QUANTITIES

_ALWAYS_ASKED: Final = ("input_tokens", "output_tokens", "cached_tokens")
_MOST: Final = 10**12
_THIS: Final[dict[Window, str]] = {"day": "today", "week": "this week", "month": "this month"}
_STARTED_WITH: Final = {"input_tokens": 1_000, "output_tokens": 500, DURATION_S: 10}


def show(view: View) -> Shown:
    """The form and what comes of it; what is shown, for exports."""
    stores, scope = view.session.stores, view.ask.scope
    editions = pricing.editions(stores, scope, "credits")
    costs = pricing.editions(stores, scope, "cost")
    if not editions and not costs:
        pricing_book.no_versions("credits")
        return Shown((), ())
    chosen = pricing_book.version_choice(view, editions).version if editions else None
    cost = _valid(view, costs)
    asked, answered = parts.halves()
    with asked:
        parts.title_row("The run")
        versions = [version for version in (chosen, cost) if version]
        run = _form(versions)
        used_before = _used_before(versions)
    row = pricing.would_cost(chosen, cost, run, used_before)
    cards = _cards(view, row, chosen)
    tables = [_lines(view, "credits", chosen, row), _lines(view, "cost", cost, row)]
    with answered:
        parts.title_row("What it would cost")
        parts.cards(cards)
        for kind, table in zip(BOOK_KINDS, tables, strict=True):
            _answer(kind, table, row)
    return Shown(cards, [table for table in tables if table])


def _valid(view: View, editions: tuple[Edition, ...]) -> PriceVersion | None:
    return next((one.version for one in editions if one.is_valid(view.session.now)), None)


def _form(versions: list[PriceVersion]) -> dict[str, Any]:
    """The run as it is typed in; only what these prices look at is asked."""
    run: dict[str, Any] = {}
    prices = [price for version in versions for price in version.prices]
    example = dict(max(prices, key=lambda price: len(price.components)).conditions) if prices else {}
    names = {name for price in prices for name, _ in price.conditions} | {"service", "model"}
    with st.grid(2, min_column_width=150, gap="small"):
        for name in (name for name in CONDITION_DIMENSIONS if name in names):
            values = {v for price in prices for d, allowed in price.conditions if d == name for v in allowed}
            options = sorted(values)
            chosen = st.selectbox(
                DIMENSION_TITLES[name],
                options,
                index=options.index(example[name][0]) if name in example else None,
                placeholder="any other",
                key=f"calculator_{name}",
                accept_new_options=name != "kind",
            )
            if chosen or name != "kind":
                run[name] = chosen or NONE
    with st.grid(2, min_column_width=150, gap="small"):
        for measure in _measures(versions):
            amount = st.number_input(
                measure_title(measure),
                min_value=0,
                max_value=_MOST,
                value=_STARTED_WITH.get(measure, 0),
                key=f"calculator_{measure}",
            )
            if measure == DURATION_S:
                run["duration_us"] = amount * 1_000_000
            elif measure.startswith(UNIT_PREFIX):
                unit = {"name": measure.removeprefix(UNIT_PREFIX), "quantity_nano": min(amount, 2**32) * NANO}
                run.setdefault("units", []).append(unit)
            else:
                run[measure] = amount
    return run


def _used_before(versions: list[PriceVersion]) -> dict[tuple[str, Window], int]:
    """What earlier runs used in the period, asked for each measure that a price counts over one."""
    components = [c for version in versions for price in version.prices for c in price.components]
    counted = sorted({(one.measure, one.over) for one in components if one.over})
    used: dict[tuple[str, Window], int] = {}
    if not counted:
        return used
    with st.grid(2, min_column_width=150, gap="small"):
        for measure, over in counted:
            used[measure, over] = st.number_input(
                f"{measure_title(measure)} already used {_THIS[over]}",
                min_value=0,
                max_value=_MOST,
                value=0,
                key=f"calculator_used_{over}_{measure}",
            )
    return used


def _measures(versions: list[PriceVersion]) -> list[str]:
    """The quantities that the prices ask for, the usual ones first."""
    used = {c.measure for version in versions for price in version.prices for c in price.components}
    if UNCACHED_INPUT_TOKENS in used:
        used |= {"input_tokens", "cached_tokens"}
    known = [name for name in (*_ALWAYS_ASKED, *QUANTITIES, DURATION_S) if name in used]
    return list(dict.fromkeys(known)) + sorted(
        used - {*known, RUN, UNCACHED_INPUT_TOKENS, *QUANTITIES, DURATION_S}
    )


def _cards(view: View, row: dict[str, Any], chosen: PriceVersion | None) -> list[Card]:
    credits_nano, cost_nano, currency = row.get("credits_nano"), row.get("cost_nano"), view.ask.currency
    amount = None if credits_nano is None else fmt.from_nano(credits_nano)
    cost = None if cost_nano is None else fmt.from_nano(cost_nano)
    rate = chosen.credit_rate if chosen else None
    value = None if amount is None or rate is None else amount * rate
    return [
        Card(
            "Credits",
            "no price" if amount is None else fmt.credits(amount),
            help="No price matches; that is not zero." if amount is None else f"Exactly {fmt.exact(amount)}.",
        ),
        Card(
            "Their value",
            "no rate" if value is None else fmt.money(value, currency),
            help="This version states no rate for a credit."
            if rate is None
            else f"{fmt.exact(rate)} {currency} a credit.",
        ),
        Card(
            "Provider’s cost",
            "no price" if cost is None else fmt.money(cost, currency),
            help="No list price matches; a run may still report its cost."
            if cost is None
            else f"Exactly {fmt.exact(cost)} {currency}, by the list that is valid now.",
        ),
    ]


def _lines(
    view: View, kind: BookKind, version: PriceVersion | None, row: dict[str, Any]
) -> ShownTable | None:
    """The lines of one book; None when no price matched."""
    found = lines_of(PriceBook(kind, (version,)), row) if version and row.get(f"{kind}_price") else None
    if found is None:
        return None
    unit = "Credits" if kind == "credits" else view.ask.currency
    rows = [
        {
            "measure": measure_title(line.measure),
            "quantity": fmt.exact(line.quantity),
            "price": f"{fmt.exact(line.price)} per {_per(line)}".replace("per each", "each"),
            "amount": decimal_string(line.amount_nano),
        }
        for line in found[1]
    ]
    columns = (
        Column("measure", "Measure", "text"),
        Column("amount", unit, "text"),
        Column("quantity", "Quantity", "text"),
        Column("price", "Price", "text"),
    )
    total = {"measure": "Total", "quantity": "", "price": "", "amount": decimal_string(row[f"{kind}_nano"])}
    title = f"Lines of {pricing_book.BOOKS[kind].lower()}"
    return ShownTable(f"lines_{kind}", title, columns, frame_of([*rows, total], columns))


def _answer(kind: BookKind, table: ShownTable | None, row: dict[str, Any]) -> None:
    if table is None:
        st.caption(f"No {kind} price matches this run.")
        return
    st.caption(
        f"{pricing_book.BOOKS[kind]}: price “{row[f'{kind}_price']}”, version {row[f'{kind}_version']}"
    )
    # Narrower than tables usually are, so that the amounts stand beside their quantities.
    titles = {column.name: column.title for column in table.columns}
    right = {
        title: st.column_config.TextColumn(title, alignment="right")
        for name, title in titles.items()
        if name != "measure"
    }
    grid(table.frame.rename(titles), height="content", column_config=right)


def _per(line: RatingLine) -> str:
    """What a line's price is for; the measure stands in its own column."""
    if line.measure in (RUN, DURATION_S):
        return pricing_book.per_text(line.measure, line.per)
    return fmt.integer(line.per) if line.per > 1 else "each"
