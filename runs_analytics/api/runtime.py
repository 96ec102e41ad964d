"""What the HTTP interface needs of the running product."""

from __future__ import annotations

from typing import Protocol

from runs_analytics.clock import Clock
from runs_analytics.control.inbox import Backlog
from runs_analytics.control.keys import Keyring
from runs_analytics.control.store import ControlStore
from runs_analytics.ingest.accept import Accepter
from runs_analytics.ingest.authorize import Authorizer
from runs_analytics.stores import Stores
from runs_analytics.warehouse.store import Warehouse


class Runtime(Protocol):
    """The open stores of one process; whoever builds the server provides it."""

    @property
    def stores(self) -> Stores:
        """Everything below; questions and administration go through it."""

    @property
    def control(self) -> ControlStore:
        """The control store."""

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse."""

    @property
    def keyring(self) -> Keyring:
        """Checks keys."""

    @property
    def accepter(self) -> Accepter:
        """The way in for runs."""

    @property
    def authorizer(self) -> Authorizer:
        """The one place that lets runs start."""

    @property
    def clock(self) -> Clock:
        """The current moment."""

    def lag(self) -> Backlog:
        """What was acknowledged and is not in the warehouse yet."""
