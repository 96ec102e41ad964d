"""One run: what it was, how it ended, what it used and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import streamlit as st

from runs_analytics.analytics import history
from runs_analytics.analytics.history import RunDetail, RunRef
from runs_analytics.errors import BadRequest, NotFound, RunsError
from runs_analytics.ui import address, parts
from runs_analytics.ui import format as fmt
from runs_analytics.ui.parts import Card
from runs_analytics.ui.runs_rows import LIST_NAMES, NO_PRICE, STATUS_COLOURS
from runs_analytics.ui.session import Session, current
from runs_analytics.ui.words import DIMENSION_TITLES, escaped, value_title
from runs_analytics.vocabulary import NONE, Dimension

_WHO: Final[tuple[Dimension, ...]] = (
    "service", "feature", "agent", "model", "member", "team", "project", "kind", "source"
)  # fmt: skip


@dataclass(frozen=True)
class OpenRun:
    """The run of the address, and who looks at it."""

    session: Session
    detail: RunDetail

    @property
    def row(self) -> dict[str, Any]:
        """The run as the warehouse keeps it."""
        return self.detail.row

    @property
    def zone(self) -> ZoneInfo:
        """The account's zone, in which every time is shown."""
        return self.session.ask.local

    @property
    def title(self) -> str:
        """Service and feature, as far as the run says them."""
        return title_of(self.row)

    def moment(self, at: datetime | None) -> str:
        """A naive UTC moment of the warehouse on the account's clock."""
        return fmt.ABSENT if at is None else fmt.moment(at.replace(tzinfo=UTC), self.zone)


def open_run_page() -> OpenRun:
    """The run that the address names; ends the page in words when there is none."""
    session = current()
    _way_back()
    given = address.read(["run"]).get("run", [""])[0]
    try:
        if not given:
            raise BadRequest("The address names no run.", field="run")
        return OpenRun(session, history.one(session.ask, RunRef.parse(given)))
    except (BadRequest, NotFound) as problem:
        _no_such_run(session, problem)
        st.stop()


def header(run: OpenRun) -> None:
    """Title, status, when and who."""
    row = run.row
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.title(escaped(run.title), anchor=False, width="content")
        st.badge(value_title("status", row["status"]), color=STATUS_COLOURS[row["status"]])  # type: ignore[arg-type]
    said = [f"Started {run.moment(row['started_at'])}"]
    if row["ended_at"] is not None:
        said.append(f"ended {run.moment(row['ended_at'])}")
    said.append(run.session.ask.zone)
    said += [str(row[name]) for name in ("member", "agent", "project") if row[name] != NONE]
    st.caption(escaped(" · ".join(said)))


def cards(run: OpenRun) -> None:
    """The numbers of the run."""
    parts.cards(list(_cards(run)))


def facts(run: OpenRun) -> None:
    """What the run says of itself; each value leads to the runs that share it."""
    for dimension in _WHO:
        value = run.row[dimension]
        if value == NONE:
            continue
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(DIMENSION_TITLES[dimension], width=80)
            st.page_link(
                "pages/run_history.py",
                label=escaped(value_title(dimension, value)),
                icon="",
                query_params=_account() | {dimension: [value]},
                help=f"Runs with this {dimension}",
            )
    for tag in run.row["tags"] or ():
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption("Tag", width=80)
            query = _account() | {"tag": [tag]}
            st.page_link("pages/run_history.py", label=escaped(tag), icon="", query_params=query)


def identity(run: OpenRun) -> None:
    """The run's id, to copy."""
    st.caption("Id, as it was sent in")
    st.code(run.row["id"], language=None, wrap_lines=True)


def title_of(row: dict[str, Any]) -> str:
    """Service and feature of a run, as far as it says them."""
    return " · ".join(row[name] for name in ("service", "feature") if row[name] != NONE)


def _cards(run: OpenRun) -> Iterator[Card]:
    row = run.row
    credits_nano, cost_nano, currency = row["credits_nano"], row["cost_nano"], run.session.ask.currency
    yield Card("Duration", fmt.duration(row["duration_us"]), help=_duration_help(run))
    exact = None if credits_nano is None else f"Exactly {fmt.exact(fmt.from_nano(credits_nano))} credits."
    priced = NO_PRICE if credits_nano is None else fmt.credits(fmt.from_nano(credits_nano))
    yield Card(
        "Credits", priced, help=exact or "No price of the price book matches this run. That is not zero."
    )
    if cost_nano is None:
        yield Card("Cost", "no cost", help="The run reported no cost, and no list price matches it.")
    else:
        amount = fmt.from_nano(cost_nano)
        source = "reported with the run" if row["cost_source"] == "reported" else "from the price list"
        yield Card(
            "Cost", fmt.money(amount, currency), help=f"Exactly {fmt.exact(amount)} {currency}, {source}."
        )
    yield from _quantity_cards(row)


def _quantity_cards(row: dict[str, Any]) -> Iterator[Card]:
    if row["input_tokens"] is not None:
        cached = row["cached_tokens"]
        said = "" if cached is None else f"{fmt.share(cached, row['input_tokens'])} of them cached"
        yield Card("Input tokens", fmt.integer(row["input_tokens"]), said or None)
    if row["output_tokens"] is not None:
        yield Card("Output tokens", fmt.integer(row["output_tokens"]))
    if row["request_bytes"] is not None:
        exact = f"{fmt.integer(row['request_bytes'])} bytes"
        yield Card("Request size", fmt.size(row["request_bytes"]), help=exact)
    if row["response_bytes"] is not None:
        exact = f"{fmt.integer(row['response_bytes'])} bytes"
        yield Card("Response size", fmt.size(row["response_bytes"]), help=exact)
    for unit in row["units"] or ():
        amount = fmt.from_nano(unit["quantity_nano"])
        yield Card(unit["name"].capitalize(), fmt.exact(amount))


def _duration_help(run: OpenRun) -> str:
    if run.row["duration_us"] is not None:
        return f"{fmt.integer(run.row['duration_us'])} microseconds."
    if run.row["status"] == "running":
        return "The run has not said yet that it ended."
    return "The run did not say how long it took."


def _way_back() -> None:
    query = address.shared() | address.read(LIST_NAMES)
    st.page_link(
        "pages/run_history.py", label="Run history", icon=":material/arrow_back:", query_params=query
    )


def _no_such_run(session: Session, problem: RunsError) -> None:
    st.title("No such run", anchor=False)
    st.markdown(
        f"{escaped(problem.message)} It may belong to another account than {escaped(session.account.name)}, or "
        "it was taken out by undoing an import."
    )
    st.page_link(
        "pages/run_history.py",
        label="All runs of this account",
        icon=":material/list_alt:",
        query_params=_account(),
    )


def _account() -> dict[str, list[str]]:
    return {address.ACCOUNT: [current().account.id]}
