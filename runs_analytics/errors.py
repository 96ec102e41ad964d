"""Every error that Runs raises on purpose, with the HTTP status and exit code each one means.

RunsError
├── BadRequest            400 / 2   the input cannot be understood
│   └── BadSelection      400 / 2   a filter, date or zone of a Selection
├── NotAllowed            403 / 3
├── Unauthenticated       401 / 3
├── NotFound              404 / 4
├── Conflict              409 / 5   the same id with other content, a name already taken
├── TooLarge              413 / 2
├── StorageFull           507 / 6   nothing was acknowledged; reading goes on
├── Unavailable           503 / 6   a store is being reopened or is held by another process
└── Damaged               500 / 7   stored data does not verify
"""

from __future__ import annotations

from typing import ClassVar


class RunsError(Exception):
    """A problem worded for the person who must act on it."""

    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, field: str | None = None, value: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        """The input field that was wrong, where one was."""
        self.value = value
        """The offending value, as it was given."""


class BadRequest(RunsError):
    """The input cannot be understood; the message says what would be right."""

    status = 400
    exit_code = 2
    code = "bad_request"


class BadSelection(BadRequest):
    """A filter, date, zone or comparison that is not in the vocabulary."""

    code = "bad_selection"


class Unauthenticated(RunsError):
    """No key, or one that is unknown, expired or revoked: always the same answer."""

    status = 401
    exit_code = 3
    code = "unauthenticated"


class NotAllowed(RunsError):
    """The caller is known and may not do this."""

    status = 403
    exit_code = 3
    code = "not_allowed"


class NotFound(RunsError):
    """Nothing of that name exists in this account."""

    status = 404
    exit_code = 4
    code = "not_found"


class Conflict(RunsError):
    """The request contradicts what is stored."""

    status = 409
    exit_code = 5
    code = "conflict"


class TooLarge(RunsError):
    """The input is over a stated limit."""

    status = 413
    exit_code = 2
    code = "too_large"


class StorageFull(RunsError):
    """The disk is full: nothing of this request was stored; send it again later."""

    status = 507
    exit_code = 6
    code = "storage_full"


class Unavailable(RunsError):
    """A store cannot answer at the moment; the same request works later."""

    status = 503
    exit_code = 6
    code = "unavailable"


class Damaged(RunsError):
    """Stored data contradicts its own checksum or count."""

    status = 500
    exit_code = 7
    code = "damaged"
