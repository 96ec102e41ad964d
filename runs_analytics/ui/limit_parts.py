"""The parts of the Limits page: cards and tables, as values that exports share."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from runs_analytics.analytics.limits import NEWEST, Limits
from runs_analytics.control.authorizations import Authorization
from runs_analytics.control.limits import LimitStatus
from runs_analytics.exports.document import Column, Kind
from runs_analytics.money.limits import LIMIT_MEASURES, Limit, LimitMeasure
from runs_analytics.ui import format as fmt
from runs_analytics.ui.controls import View
from runs_analytics.ui.parts import Card
from runs_analytics.ui.tables import ShownTable, Width, frame_of
from runs_analytics.vocabulary import NANO
from runs_analytics.zones import zone_named

MEASURES: Final[dict[LimitMeasure, str]] = {"credits": "Credits", "cost": "Spend", "runs": "Runs"}
_KINDS: Final[dict[LimitMeasure, Kind]] = {"credits": "credits", "cost": "money", "runs": "integer"}
_HAPPENED: Final[dict[str, Width]] = {"of": 165, "amount": 150, "spent": 150, "at": 160, "percent": 95}
_OVERRUNS: Final = {
    "unauthorized": "sent without asking",
    "above_hold": "larger than asked for",
    "before_limit": "used before the limit",
}


def scope_text(dimension: str, value: str | None) -> str:
    """Whose limit it is, in words."""
    if dimension == "account":
        return "Account"
    return f"Each {dimension}" if value is None else f"{dimension.capitalize()} {value}"


def limit_text(limit: Limit) -> str:
    """A limit in a few words: `Team red · credits a day`."""
    return f"{scope_text(limit.dimension, limit.value)} · {limit.measure} a {limit.window}"


def cards(view: View, found: Limits) -> list[Card]:
    """The headline numbers: the closest limit, what is held, refused and overrun."""
    hard = [status for status in found.statuses if status.limit.is_hard]
    closest = max(found.statuses, key=_used_share, default=None)
    reached = sum(status.left_nano == 0 for status in hard)
    today = view.session.today
    refused = sum(_local(view, one.authorized_at).date() == today for one in found.refused)
    over = sum(status.use.overrun_nano > 0 for status in found.statuses)
    return [
        Card(
            f"Closest: {scope_text(closest.limit.dimension, closest.value)}"
            if closest
            else "Closest to a limit",
            fmt.percent(_used_share(closest), 0) if closest else "none",
            help=f"Spent and held of its limit on {closest.limit.measure} a {closest.limit.window}."
            if closest
            else None,
        ),
        Card("Reached", fmt.integer(reached), help=f"Of {len(hard)} hard limits; new work there is refused."),
        Card(
            "Refused today",
            fmt.integer(refused),
            help=f"Of the newest {NEWEST} refusals."
            if len(found.refused) == NEWEST
            else "Runs that were not let start.",
        ),
        Card(
            "With overrun",
            fmt.integer(over),
            help="Limits that runs went past without asking, or by more than asked.",
        ),
    ]


def standing_tables(view: View, found: Limits) -> list[ShownTable]:
    """How the limits stand, a table for each measure that has some."""
    return [
        _standing(view, measure, statuses)
        for measure in LIMIT_MEASURES
        if (statuses := [s for s in found.statuses if s.limit.measure == measure])
    ]


def happened_tables(view: View, found: Limits) -> list[ShownTable]:
    """What was refused, what went past limits, and which thresholds were crossed; newest first."""
    names = {status.limit.id: status.limit for status in found.statuses}
    return [_refused(view, found), _overruns(view, found, names), _crossings(view, found, names)]


def _standing(view: View, measure: LimitMeasure, statuses: list[LimitStatus]) -> ShownTable:
    kind = _KINDS[measure]
    columns = (
        Column("of", "Limit", "text"),
        Column("left", "Left", kind),
        Column("amount", "Limit of", kind),
        Column("share", "Used", "percent"),
        Column("spent", "Spent", kind),
        Column("held", "Held", kind),
        Column("overrun", "Overrun", kind),
        Column("resets", "Resets", "text"),
        Column("kind", "Kind", "text"),
        Column("crossed", "Crossed", "text"),
        Column("id", "Id", "text"),
    )
    rows = [
        {
            "id": status.limit.id,
            "of": f"{scope_text(status.limit.dimension, status.value)} · {status.limit.window}",
            "share": _used_share(status),
            **{
                name: _number(measure, nano)
                for name, nano in (
                    ("spent", status.use.settled_nano),
                    ("held", status.use.held_nano),
                    ("overrun", status.use.overrun_nano),
                    ("left", status.left_nano),
                    ("amount", status.limit.amount_nano),
                )
            },
            "resets": _moment(view, status.period.resets_at),
            "kind": "hard" if status.limit.is_hard else "soft",
            "crossed": f"{status.crossed_percent} %" if status.crossed_percent else "",
        }
        for status in sorted(statuses, key=_used_share, reverse=True)
    ]
    return ShownTable(f"limits_{measure}", f"Limits on {measure}", columns, frame_of(rows, columns))


def _refused(view: View, found: Limits) -> ShownTable:
    columns = (
        Column("run", "Run", "text"),
        Column("wanted", "Wanted", "text"),
        Column("why", "Why", "text"),
        Column("room", "Room", "text"),
        Column("at", "Refused", "text"),
        Column("service", "Service", "text"),
        Column("team", "Team", "text"),
        Column("member", "Member", "text"),
    )
    rows = [_refused_row(view, one) for one in found.refused]
    widths: dict[str, Width] = {"run": 130, "wanted": 90, "why": 290, "room": 215, "at": 155}
    return ShownTable("limits_refused", "Refused", columns, frame_of(rows, columns), widths=widths)


def _refused_row(view: View, one: Authorization) -> dict[str, Any]:
    why = dict(one.refusal or {})
    scope = why.get("scope")
    if scope is None:
        reason, room = "credits used up", f"{_grouped(why['left'])} credits left"
    else:
        whose = scope_text(scope["dimension"], scope["value"])
        reason = f"{whose}: {_grouped(why['cap'])} {why['measure']} a {why['window']}"
        room = f"{_grouped(why['spent'])} spent, {_grouped(why['held'])} held"
    return {
        "run": one.run_id,
        "at": _moment(view, one.authorized_at),
        "why": reason,
        "wanted": f"{_grouped(why['wanted'])} {why['measure']}",
        "room": room,
        "service": one.service,
        "team": one.team,
        "member": one.member,
    }


def _overruns(view: View, found: Limits, names: dict[str, Limit]) -> ShownTable:
    columns = (
        Column("of", "Of", "text"),
        Column("amount", "Overrun", "text"),
        Column("kind", "Why", "text"),
        Column("at", "Seen", "text"),
        Column("run", "Run", "text"),
        Column("limit", "Limit", "text"),
    )
    rows = [
        {
            "limit": one.limit_id,
            "of": _of(names.get(one.limit_id), one.value),
            "at": _moment(view, one.at),
            "amount": _worded(view, names.get(one.limit_id), one.amount_nano),
            "kind": _OVERRUNS[one.kind],
            "run": one.run_id or "",
        }
        for one in found.overruns
    ]
    return ShownTable("limits_overruns", "Overruns", columns, frame_of(rows, columns), widths=_HAPPENED)


def _crossings(view: View, found: Limits, names: dict[str, Limit]) -> ShownTable:
    columns = (
        Column("of", "Of", "text"),
        Column("spent", "Spent then", "text"),
        Column("percent", "Threshold", "text"),
        Column("at", "Crossed", "text"),
        Column("limit", "Limit", "text"),
    )
    rows = [
        {
            "limit": one.limit_id,
            "of": _of(names.get(one.limit_id), one.value),
            "at": _moment(view, one.at),
            "percent": f"{one.percent} %",
            "spent": _worded(view, names.get(one.limit_id), one.settled_nano),
        }
        for one in found.crossings
    ]
    frame = frame_of(rows, columns)
    return ShownTable("limits_crossings", "Thresholds crossed", columns, frame, widths=_HAPPENED)


def _of(limit: Limit | None, value: str) -> str:
    return value if limit is None else scope_text(limit.dimension, value)


def _worded(view: View, limit: Limit | None, nano: int) -> str:
    amount = fmt.from_nano(nano)
    if limit is None:
        return fmt.exact(amount)
    if limit.measure == "cost":
        return fmt.money(amount, view.ask.currency)
    return f"{fmt.exact(amount)} {limit.measure}"


def _grouped(amount: str) -> str:
    """A decimal string of a refusal with its thousands separated."""
    return fmt.exact(Decimal(amount))


def _used_share(status: LimitStatus) -> float:
    counted = status.use.settled_nano + status.use.held_nano
    return counted / status.limit.amount_nano if status.limit.amount_nano else float(counted > 0)


def _number(measure: LimitMeasure, nano: int) -> Any:
    return nano // NANO if measure == "runs" else fmt.from_nano(nano)


def _local(view: View, at: datetime) -> datetime:
    return at.astimezone(zone_named(view.session.account.zone))


def _moment(view: View, at: datetime) -> str:
    return fmt.moment(at, zone_named(view.session.account.zone))
