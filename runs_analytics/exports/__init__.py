"""Exports: exactly what a page shows, as CSV, XLSX, PDF, JSON or Parquet, with a manifest that proves it."""

from runs_analytics.exports.document import (
    FORMATS,
    BarChart,
    Column,
    Document,
    ExportResult,
    Format,
    Headline,
    Table,
    amount,
)
from runs_analytics.exports.export import export

__all__ = [
    "FORMATS",
    "BarChart",
    "Column",
    "Document",
    "ExportResult",
    "Format",
    "Headline",
    "Table",
    "amount",
    "export",
]
