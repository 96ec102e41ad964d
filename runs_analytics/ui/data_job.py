"""An import, or a trial of one, that runs beside the page: it can be watched, cancelled and left alone."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

from runs_analytics.errors import RunsError
from runs_analytics.ingest.files import ImportMapping
from runs_analytics.ingest.import_job import ImportReport
from runs_analytics.scope import Scope
from runs_analytics.stores import Stores
from runs_analytics.ui.data_upload import Upload, on_disk

log = logging.getLogger(__name__)


class ImportCancelled(RunsError):
    """The import was ended by whoever started it; nothing of it was stored."""

    code = "cancelled"


@dataclass
class Job:
    """One import under way; its thread writes, pages read."""

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

    problem: RunsError | None = None
    is_done: bool = False
    is_cancelled: bool = False
    started: float = field(default_factory=time.monotonic)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="page-import", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Give a quick import the time to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def cancel(self) -> None:
        """End it after the batch that is being read."""
        self.is_cancelled = True

    @property
    def pace(self) -> str:
        """`1,200,000 rows · 140,000/s · 12 s left`."""
        seconds = max(time.monotonic() - self.started, 1e-6)
        left = f"{seconds / self.share - seconds:,.0f} s left" if self.share else "reading the first rows"
        return f"{self.rows:,} rows · {self.rows / seconds:,.0f}/s · {left}"

    def _run(self) -> None:
        try:
            with on_disk(self.upload, self.stores.settings.data_dir / "uploads") as path:
                self.report = self.stores.import_file(
                    self.scope,
                    path,
                    self.mapping,
                    dry_run=self.is_trial,
                    file_name=self.upload.name,
                    progress=self._progress,
                )
        except RunsError as problem:
            self.problem = problem
        except Exception:
            log.exception("an import from the Data page failed")
            self.problem = RunsError(
                "The import failed and nothing of it was stored. The server's log says where; try again."
            )
        finally:
            self.is_done = True

    def _progress(self, share: float, report: ImportReport) -> None:
        self.share, self.rows = share, report.read
        if self.is_cancelled:
            raise ImportCancelled("Cancelled; nothing of this file was stored.")
