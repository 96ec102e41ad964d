"""The part of the Patterns page about trend, rhythm and changes of level: sentence, cards, charts and tables."""

from __future__ import annotations

from typing import Final

import polars as pl
import streamlit as st

from runs_analytics import charts
from runs_analytics.analytics.forecasts import Refusal
from runs_analytics.analytics.trends import LevelChange, Trend, trend
from runs_analytics.charts.heatmap import WEEKDAYS
from runs_analytics.exports.document import AMOUNT, Column, Kind
from runs_analytics.ui import format as fmt
from runs_analytics.ui import parts, patterns_week, tables
from runs_analytics.ui.controls import View
from runs_analytics.ui.exporting import Shown
from runs_analytics.ui.measures import Measure
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable
from runs_analytics.ui.theme import current_theme
from runs_analytics.ui.words import escaped

TREND_PX: Final = 320
HOURS: Final = tuple(f"{hour:02d}" for hour in range(24))
STRONG: Final = 0.64
"""Strength from which a rhythm is called strong; forecasts take it off from there on (Hyndman & Athanasopoulos)."""

CLEAR: Final = 0.3
_STRENGTH_HELP: Final = "Strength, from 0 (no {part} at all) to 1 (nothing beside the {part})."


def place(view: View) -> Shown:
    """Place the whole part; what an export writes of it."""
    shown = patterns_week.measure(view)
    with st.skeleton(height=TREND_PX):
        found = trend(view.ask, view.selection, patterns_week.name_of(shown), today=view.session.today)
    if isinstance(found, Refusal):
        st.info(escaped(found.reason), icon=":material/hourglass_empty:")
        return Shown((), ())
    st.markdown(sentence(found, shown))
    cards = headline(found, shown)
    parts.cards(cards)
    with st.container(border=True):
        parts.title_row(f"{shown.title} {shown.per_slot} day", note="whole days, their trend and levels")
        chart(found, shown)
        days = days_table(found, shown)
        tables.switch(days, "trend_days", view.ask.currency)
    rhythms(found, shown)
    changes = changes_table(found, shown)
    if found.changes:
        st.markdown("**Changes of level**")
        changes.show("trend_changes", currency=view.ask.currency)
    return Shown(cards, (days, changes))


def sentence(found: Trend, shown: Measure) -> str:
    """Trend, rhythm and the last change of level in one sentence."""
    first, last = found.days["trend"][0], found.days["trend"][-1]
    moved = f"from {shown.unit.number(first)} to {shown.unit.text(last)} a day" + (
        f", {fmt.change(found.moved + 1, 1)}" if found.moved is not None else ""
    )
    high = found.weekly.sort("effect", descending=True)["weekday"]
    week = f"the week has a {word(found.weekly_strength)} rhythm"
    if found.weekly_strength >= CLEAR:
        week += f", {WEEKDAYS[high[0]]} highest and {WEEKDAYS[high[-1]]} lowest"
    said = f"**{escaped(shown.title)}** {escaped(f'went {moved}; {week}.')}"
    if not found.changes:
        return f"{said} No change of level."
    return f"{said} {escaped(change_text(found.changes[-1], shown))}."


def headline(found: Trend, shown: Measure) -> list[Card]:
    """The trend, both rhythms and the changes in headline numbers."""
    moved = fmt.change(found.moved + 1, 1) if found.moved is not None else None
    cards = [
        Card(
            "Trend",
            moved or fmt.ABSENT,
            help=f"From the first day to the last. Strength {found.trend_strength:.2f}, from 0 to 1.",
        ),
        Card(
            "Rhythm of the week",
            f"{found.weekly_strength:.2f} {word(found.weekly_strength)}",
            help=_STRENGTH_HELP.format(part="rhythm"),
        ),
    ]
    if found.daily_strength is not None:
        strength = f"{found.daily_strength:.2f} {word(found.daily_strength)}"
        cards.append(Card("Rhythm of the day", strength, help=_STRENGTH_HELP.format(part="rhythm")))
    last = found.changes[-1] if found.changes else None
    when = f"The last from {fmt.date_range(last.day, last.day)}, {factor_text(last)}." if last else None
    return [*cards, Card("Changes of level", fmt.integer(len(found.changes)), help=when)]


def chart(found: Trend, shown: Measure) -> None:
    """Actual days, their trend, and the changes of level."""
    changes = pl.DataFrame(
        [(c.day, factor_text(c), shown.unit.text(c.before), shown.unit.text(c.after)) for c in found.changes],
        {"day": pl.Date, "word": pl.String, "before_text": pl.String, "after_text": pl.String},
        orient="row",
    )
    drawn = charts.trend_over_time(
        found.days, changes, theme=current_theme(), measure_title=shown.title, unit=shown.unit
    )
    st.altair_chart(drawn, theme=None)


def rhythms(found: Trend, shown: Measure) -> None:
    """The shape of a week and of a day side by side."""
    week, day = parts.halves()
    with week:
        parts.title_row("A week", note="against an average day")
        effects = _effects(found.weekly, found.typical, shown, "a day")
        st.altair_chart(charts.rhythm(effects, WEEKDAYS, theme=current_theme(), title="Weekday"), theme=None)
    with day:
        parts.title_row("A day", note="against an average hour, the newest eight weeks")
        if found.daily is None:
            st.caption("Single hours have too few runs to tell it.")
            return
        effects = _effects(found.daily, found.typical / 24, shown, "an hour")
        drawn = charts.rhythm(effects, HOURS, theme=current_theme(), title="Hour", every=3)
        st.altair_chart(drawn, theme=None)


def days_table(found: Trend, shown: Measure) -> ShownTable:
    """A row per day, whose trend, weekday and rest add up to what was."""
    names = {"actual": "Actual", "trend": "Trend", "season": "Weekday", "level": "Level"}
    columns = (Column("value", "Day", "text"), *(Column(n, t, _kind(shown)) for n, t in names.items()))
    frame = found.days.select(
        pl.col("day").cast(pl.String).alias("value"), *(_exact(n, shown) for n in names)
    )
    return ShownTable("trend_days", f"{shown.title} by day", columns, frame)


def changes_table(found: Trend, shown: Measure) -> ShownTable:
    """A row per change of level, newest first."""
    columns = (
        Column("value", "From", "text"),
        Column("before", "Before, a day", _kind(shown)),
        Column("after", "After, a day", _kind(shown)),
        Column("change", "Change", "percent"),
    )
    rows = [
        (str(c.day), c.before, c.after, c.factor - 1 if c.factor is not None else None)
        for c in reversed(found.changes)
    ]
    schema = {"value": pl.String, "before": pl.Float64, "after": pl.Float64, "change": pl.Float64}
    frame = pl.DataFrame(rows, schema, orient="row")
    exact = frame.with_columns(_exact("before", shown), _exact("after", shown))
    return ShownTable("level_changes", "Changes of level", columns, exact)


def change_text(change: LevelChange, shown: Measure) -> str:
    """A change of level in words."""
    moved = "rose" if change.after > change.before else "fell"
    amounts = f"{shown.unit.number(change.before)} to {shown.unit.text(change.after)} a day"
    return (
        f"The level {moved} on {fmt.date_range(change.day, change.day)} from {amounts}, {factor_text(change)}"
    )


def factor_text(change: LevelChange) -> str:
    """How many times the level before the one after is: `×1.6`."""
    return (
        "new"
        if change.factor is None
        else f"×{change.factor:.2g}"
        if change.factor < 10
        else f"×{change.factor:,.0f}"
    )


def word(strength: float) -> str:
    """A strength in a word."""
    return "strong" if strength >= STRONG else "clear" if strength >= CLEAR else "weak"


def _effects(shape: pl.DataFrame, average: float, shown: Measure, per: str) -> pl.DataFrame:
    texts = [f"{'+' if e >= 0 else '-'}{shown.unit.text(abs(e))} {per}" for e in shape["effect"]]
    return shape.select(
        pl.nth(0).alias("place"),
        (pl.col("effect") / average if average else pl.col("effect") * 0).alias("share"),
        pl.Series("text", texts),
    )


def _kind(shown: Measure) -> Kind:
    """Trends of counts have fractions."""
    return "credits" if shown.kind == "integer" else shown.kind


def _exact(name: str, shown: Measure) -> pl.Expr:
    return pl.col(name).round(9).cast(AMOUNT) if _kind(shown) in ("credits", "money") else pl.col(name)
