"""When usage comes: hours of the week, peaks, concurrency, seasons, changes of level, and the calendar."""

from runs_analytics.ui import (
    controls,
    exporting,
    patterns_calendar,
    patterns_compared,
    patterns_progress,
    patterns_trend,
    patterns_week,
)

PARTS = {
    "week": ("Hours of the week", patterns_week.place),
    "compared": ("Periods compared", patterns_compared.place),
    "calendar": ("Calendar", patterns_calendar.place),
    "trend": ("Trend and rhythm", patterns_trend.place),
    "progress": ("In progress", patterns_progress.place),
}

view = controls.open_page("Patterns")
shown = controls.choice("part", {name: title for name, (title, _) in PARTS.items()}, label="Part")
exporting.menu(view, PARTS[shown][1](view))
