"""An import, or a trial of one, that runs beside the page: it can be watched, cancelled and left alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from runs_analytics.errors import RunsError
from runs_analytics.ingest.files import ImportMapping
from runs_analytics.ingest.import_job import ImportReport
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores
from runs_analytics.ui.background import Background
from runs_analytics.ui.data_upload import Upload, on_disk


class ImportCancelled(RunsError):
    """The import was ended by whoever started it; nothing of it was stored."""

    code = "cancelled"


@dataclass
class Job(Background):
    """One import under way."""

    thread_name = "page-import"
    failure = "The import failed and nothing of it was stored. The server's log says where; try again."

    stores: Stores
    scope: Scope
    upload: Upload
    mapping: ImportMapping
    is_trial: bool
    share: float = 0.0
    """How much of the file is read, 0 to 1."""

    rows: int = 0
    report: ImportReport | None = None
    """What became of the rows, once it is done."""

    started: float = field(default_factory=time.monotonic)

    @property
    def pace(self) -> str:
        """`1,200,000 rows · 140,000/s · 12 s left`."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        left = f"{seconds / self.share - seconds:,.0f} s left" if self.share else "reading the first rows"
        return f"{self.rows:,} rows · {self.rows / seconds:,.0f}/s · {left}"

    def _work(self) -> None:
        with on_disk(self.upload, self.stores.settings.data_dir / "uploads") as path:
            self.report = self.stores.import_file(
                self.scope,
                path,
                self.mapping,
                dry_run=self.is_trial,
                file_name=self.upload.name,
                progress=self._progress,
            )

    def _progress(self, share: float, report: ImportReport) -> None:
        self.share, self.rows = share, report.read
        if self.is_cancelled:
            raise ImportCancelled("Cancelled; nothing of this file was stored.")
