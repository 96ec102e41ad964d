"""`export`: runs or a breakdown as a file, the same as the pages give."""

from __future__ import annotations

from argparse import Namespace
from typing import Final, cast
from urllib.parse import parse_qs

from runs_analytics.analytics.asking import Ask
from runs_analytics.commands.context import Context, Pace
from runs_analytics.exports import export as write_export
from runs_analytics.exports import subjects
from runs_analytics.selection import Selection
from runs_analytics.vocabulary import DIMENSIONS, Dimension

SUBJECTS: Final = ("runs", *(f"by-{dimension}" for dimension in DIMENSIONS), "by-day")


def export(context: Context, given: Namespace) -> int:
    """Write a file and its manifest; the file's path goes to stdout."""
    ask = Ask.of(context.stores, context.scope(given.account))
    today = context.stores.clock().astimezone(ask.local).date()
    selection = Selection.parse(parse_qs(given.query), today=today, zone=ask.zone)
    made_at = context.stores.clock()
    if given.what == "runs":
        document = subjects.runs_document(ask, selection, made_at)
    elif given.what == "by-day":
        document = subjects.days_document(ask, selection, made_at)
    else:
        dimension = cast(Dimension, given.what.removeprefix("by-"))
        document = subjects.breakdown_document(ask, selection, dimension, made_at)
    pace = Pace(document.tables[0].rows or 0)
    folder = context.path(given.out)
    folder.mkdir(parents=True, exist_ok=True)
    result = write_export(document, given.format, folder, lambda rows: context.draw(pace.text(rows)))
    context.write(str(result.path))
    context.say(f"{result.rows:,} rows, SHA-256 {result.sha256}")
    return 0
