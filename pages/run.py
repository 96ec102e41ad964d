"""One run with everything known about it."""

from runs_analytics.ui import (
    parts,
    runs_detail,
    runs_events,
    runs_family,
    runs_payload,
    runs_rating,
)

run = runs_detail.open_run_page()
runs_detail.header(run)
runs_detail.cards(run)
runs_payload.error(run)

why, who = parts.two_cards()
with why:
    runs_rating.rating(run)
    runs_events.events(run)
with who:
    parts.title_row("What it was")
    runs_detail.facts(run)
    runs_detail.identity(run)

runs_family.family(run)
runs_payload.input_and_output(run)
