"""The price books, what a run would cost by them, and what other prices would change."""

from runs_analytics.ui import controls, exporting, pricing_book, pricing_calculator, pricing_rerate

PARTS = {
    "book": ("Price book", pricing_book.show),
    "calculator": ("What would a run cost", pricing_calculator.show),
    "rerate": ("Re-rate", pricing_rerate.show),
}

view = controls.open_present_page("Pricing")
part = controls.choice("part", {name: title for name, (title, _) in PARTS.items()}, label="Part")
shown = PARTS[part][1](view)
if shown.tables:
    exporting.menu(pricing_rerate.exported_view(view) if part == "rerate" else view, shown)
