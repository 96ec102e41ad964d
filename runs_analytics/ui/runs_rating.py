"""Why a run cost what it cost: the lines of its rating, from the price version that it keeps."""

from __future__ import annotations

from datetime import UTC
from typing import Final

import streamlit as st

from runs_analytics.analytics import rerating
from runs_analytics.analytics.history import RunRef
from runs_analytics.analytics.rating_lines import lines_of
from runs_analytics.errors import NotFound
from runs_analytics.money.price_book import DURATION_S, RUN, UNIT_PREFIX, BookKind, PriceBook
from runs_analytics.money.price_parts import TIERED_FORMS
from runs_analytics.money.rating import MINIMUM, RatingLine
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts
from runs_analytics.ui.runs_detail import OpenRun
from runs_analytics.ui.tables import grid
from runs_analytics.ui.words import escaped

_UNITS: Final = {RUN: "run", DURATION_S: "second"}


def rating(run: OpenRun) -> None:
    """The credits, then the cost, each with the lines that add up to it."""
    books = run.session.stores.books(run.session.ask.scope)
    credits_nano = run.row["credits_nano"]
    used = "Credits" if credits_nano is None else f"Why {fmt.credits(fmt.from_nano(credits_nano))} credits"
    parts.title_row(used)
    _part(run, books.credits)
    _corrections(run, "credits")
    parts.title_row("Provider's cost", note=run.session.ask.currency)
    if run.row["cost_source"] == "reported":
        amount = fmt.from_nano(run.row["cost_nano"])
        st.caption(
            f"Reported with the run: {fmt.exact(amount)} {run.session.ask.currency}. No list price applies."
        )
    else:
        _part(run, books.cost)
    _corrections(run, "cost")


def shown_lines(lines: tuple[RatingLine, ...], total_nano: int) -> list[dict[str, str]]:
    """The lines as a table of texts, each number with every digit; the last row is what they add up to."""
    rows = [
        {
            "Measure": measure_title(line.measure),
            "Amount": fmt.exact(fmt.from_nano(line.amount_nano)),
            "Quantity": _quantity(line),
            "Price": _price(line),
        }
        for line in lines
    ]
    total = {"Measure": "Total", "Amount": fmt.exact(fmt.from_nano(total_nano)), "Quantity": "", "Price": ""}
    return [*rows, total]


def measure_title(measure: str) -> str:
    """A measure of a price in words."""
    if measure == DURATION_S:
        return "Duration in seconds"
    return measure.removeprefix(UNIT_PREFIX).replace("_", " ").capitalize()


def _part(run: OpenRun, book: PriceBook) -> None:
    kind = book.kind
    try:
        found = lines_of(book, run.row)
    except NotFound as problem:
        parts.problem(problem, kept="The amount itself is kept with the run.")
        return
    if found is None:
        st.caption(_unpriced(run, kind))
        return
    version, lines = found
    right = st.column_config.TextColumn
    grid(
        shown_lines(lines, run.row[f"{kind}_nano"]),
        height="content",
        column_config={name: right(name, alignment="right") for name in ("Quantity", "Price", "Amount")},
    )
    since = fmt.moment(version.valid_from.astimezone(UTC), run.zone)
    price = escaped(run.row[f"{kind}_price"])
    st.caption(
        f"Price “{price}” of version {version.version}, valid from {since}. Each line is rounded half-even to a "
        "billionth."
    )


def _corrections(run: OpenRun, kind: BookKind) -> None:
    """What confirmed re-rates made of the run; its first rating stays above."""
    session = run.session
    ref = RunRef(run.row["started_at"].replace(tzinfo=UTC), run.row["id_hash"])
    changes = rerating.changes_of(session.stores, session.ask.scope, ref, kind)
    if not changes:
        return
    st.caption("Corrected since by re-rates; the rating above is the one the run got when it came.")
    grid(
        [
            {
                "Re-rate": f"{one.rerate.number}, {fmt.moment(one.rerate.created_at, run.zone)}",
                "Correction": fmt.exact(fmt.from_nano((one.new_nano or 0) - (one.old_nano or 0))),
                "Before": _told(one.old_nano),
                "After": _told(one.new_nano),
                "By": f"version {one.rerate.version}",
            }
            for one in changes
        ],
        height="content",
        column_config={
            name: st.column_config.TextColumn(name, alignment="right")
            for name in ("Before", "After", "Correction")
        },
    )


def _told(nano: int | None) -> str:
    return "no price" if nano is None else fmt.exact(fmt.from_nano(nano))


def _unpriced(run: OpenRun, kind: BookKind) -> str:
    if run.row[f"{kind}_version"] is None:
        return f"No price: no version of the {kind} price book was valid when this run started. That is not zero."
    number = run.row[f"{kind}_version"]
    return f"No price: none of version {number} of the {kind} price book matches this run. That is not zero."


def _quantity(line: RatingLine) -> str:
    if line.used_before is None:
        return fmt.exact(line.quantity)
    upto = fmt.exact(line.used_before + line.quantity)
    return f"{fmt.exact(line.quantity)}, from {fmt.exact(line.used_before)} to {upto} of the {line.over}"


def _price(line: RatingLine) -> str:
    if line.measure == MINIMUM:
        return f"up to {fmt.exact(line.price)} a run"
    times = "" if line.factor == 1 else f" × {fmt.exact(line.factor)}"
    over = "" if line.over is None else f", counted over the {line.over}"
    if line.form in TIERED_FORMS:
        return f"{line.form} tiers per {_per(line)}{over}{times}"
    whole = " begun" if line.form == "package" else ""
    return f"{fmt.exact(line.price)} per {_per(line)}{whole}{over}{times}"


def _per(line: RatingLine) -> str:
    unit = _UNITS.get(line.measure, measure_title(line.measure).lower())
    return unit if line.per == 1 else f"{fmt.integer(line.per)} {unit}"
