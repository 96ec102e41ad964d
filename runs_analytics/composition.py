"""What one serving process runs: the stores, the worker, the keeper and the control socket, opened once."""

from __future__ import annotations

import atexit
import logging
import threading
from dataclasses import dataclass, field
from typing import Final

from runs_analytics.clock import system_clock
from runs_analytics.commands.control_socket import ControlSocket
from runs_analytics.commands.sample import load_sample_when_empty
from runs_analytics.settings import Settings
from runs_analytics.stores import Stores
from runs_analytics.worker.keeper import Keeper
from runs_analytics.worker.loop import Worker

log = logging.getLogger(__name__)


@dataclass
class SampleLoad:
    """How far the sample workspace is that is being loaded, if one is."""

    share: float | None = None
    """0 to 1 while it loads, else None."""

    problem: str | None = None


@dataclass
class Running:
    """The parts of a serving process."""

    stores: Stores
    worker: Worker
    socket: ControlSocket
    sample: SampleLoad = field(default_factory=SampleLoad)
    keeper: Keeper | None = None
    """None where nothing is forecast by itself, as in tests."""

    _stopped: bool = False

    def stop(self) -> None:
        """End the worker, then close the stores; again does nothing."""
        if self._stopped:
            return
        self._stopped = True
        self.socket.stop()
        if self.keeper:
            self.keeper.stop()
        self.worker.stop()
        self.stores.close()


_LOCK: Final = threading.Lock()
_running: list[Running] = []


def current() -> Running:
    """The running parts, started at the first call; pages and the server share them.

    Raises:
        Unavailable: when another process holds the data folder.
    """
    with _LOCK:
        if not _running:
            _running.append(_start(Settings.from_environment()))
            atexit.register(stop)
        return _running[0]


def stop() -> None:
    """Stop what runs; the next `current` starts anew."""
    with _LOCK:
        while _running:
            _running.pop().stop()


def load_sample(running: Running, runs: int) -> None:
    """Load the sample workspace in the background when there is no account yet."""

    def load() -> None:
        try:
            load_sample_when_empty(
                running.stores, runs, lambda share: setattr(running.sample, "share", share)
            )
        except Exception as problem:
            log.exception("loading the sample workspace")
            running.sample.problem = str(problem)
        finally:
            running.sample.share = None

    threading.Thread(target=load, name="sample", daemon=True).start()


def _start(settings: Settings) -> Running:
    stores = Stores.open(settings, system_clock())
    keeper = Keeper(stores)
    running = Running(stores, Worker(stores), ControlSocket(stores), keeper=keeper)
    running.worker.start()
    keeper.start()
    running.socket.start()
    return running
