"""`/v1/keys` and `/v1/exports`: the account's keys, and files of what the pages show."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Request, Response
from fastapi import Query as InQuery
from fastapi.responses import StreamingResponse
from pydantic import Field

from runs_analytics.api.acts import Given, MomentText, Name, read_moment
from runs_analytics.api.answers import (
    MOMENT,
    TEXT,
    Serving,
    answer,
    described,
    list_of,
    moment,
    nullable,
    shape,
)
from runs_analytics.api.paging import PageQuery, page_of
from runs_analytics.api.problems import understood
from runs_analytics.api.queries import SelectionQuery, as_dimension
from runs_analytics.api.route import asker
from runs_analytics.api.tags import IfMatch, require_match, shown
from runs_analytics.api.usage_routes import selected
from runs_analytics.control import keys
from runs_analytics.control.keys import KEY_SCOPES, ApiKey
from runs_analytics.control.schema import microseconds
from runs_analytics.control.writer import Connection
from runs_analytics.exports import export, subjects
from runs_analytics.exports.document import Document, ExportResult
from runs_analytics.exports.export import MEDIA_TYPES
from runs_analytics.vocabulary import DIMENSIONS

_KEY: Final[dict[str, Any]] = {
    "prefix": TEXT,
    "label": TEXT,
    "scopes": list_of(TEXT),
    "created_at": MOMENT,
    "expires_at": nullable(MOMENT),
    "revoked_at": nullable(MOMENT),
}
_SUBJECTS: Final = ("runs", "by-day", *(f"by-{dimension}" for dimension in DIMENSIONS))
_FORMATS: Final = ("csv", "json", "parquet", "xlsx")
_CHUNK_BYTES: Final = 1 << 16

Prefix = Annotated[str, Path(pattern=r"^[a-z0-9]{8}$")]
Subject = Annotated[Literal[_SUBJECTS], Path()]  # type: ignore[valid-type]


class NewKey(Given):
    """A key to make."""

    label: Name
    scopes: list[Literal[KEY_SCOPES]] = Field(min_length=1, max_length=len(KEY_SCOPES))  # type: ignore[valid-type]
    expires_at: MomentText | None = Field(default=None, description="Never when absent.")


class ExportQuery(SelectionQuery):
    """Which runs, and as which kind of file."""

    format: Literal[_FORMATS] = "csv"  # type: ignore[valid-type]


def keys_router(serving: Serving) -> APIRouter:
    """The routes that manage keys."""
    router = APIRouter(route_class=serving.route_class, tags=["Keys"])
    control = serving.runtime.control

    @router.get(
        "/v1/keys",
        **described(
            "The account's keys, oldest first, without secrets",
            shape(keys=list_of(shape(**_KEY)), next_cursor=nullable(TEXT)),
        ),
    )
    async def list_keys(request: Request, query: Annotated[PageQuery, InQuery()]) -> Response:
        scope = asker(request)

        def ask() -> Any:
            with control.read() as connection:
                found = keys.list_keys(connection, scope)
            some, cursor = page_of(
                serving.runtime,
                scope,
                "list_keys",
                query,
                found,
                lambda one: (microseconds(one.created_at), one.prefix),
            )
            return {"keys": [_key(one) for one in some], "next_cursor": cursor}

        return await serving.answered(ask)

    @router.get(
        "/v1/keys/{prefix}", **described("A key, with the tag that ending it may ask for", shape(**_KEY))
    )
    async def get_key(request: Request, prefix: Prefix) -> Response:
        def ask() -> dict[str, Any]:
            with control.read() as connection:
                return _key(keys.get_key(connection, asker(request), prefix))

        return shown(await serving.lane.run(ask))

    _add_key_acts(router, serving)
    return router


def _add_key_acts(router: APIRouter, serving: Serving) -> None:
    control = serving.runtime.control

    @router.post(
        "/v1/keys",
        **described(
            "Make a key; its text is in this answer and nowhere else",
            shape(prefix=TEXT, key=TEXT),
            acts=True,
            status=201,
        ),
    )
    async def create_key(request: Request, body: NewKey) -> Response:
        scope, now = asker(request), serving.runtime.clock()
        until = read_moment(body.expires_at, "expires_at")
        job = control.submit(
            lambda c: keys.create_key(
                c, scope, body.label, body.scopes, now, pepper=control.pepper, expires_at=until
            )
        )
        with understood():
            prefix, text = await asyncio.wrap_future(job)
        made = answer({"prefix": prefix, "key": text}, 201)
        made.headers["Cache-Control"] = "no-store"
        return made

    @router.delete(
        "/v1/keys/{prefix}",
        **described("End a key at once", shape(**_KEY), acts=True, matches=True),
    )
    async def revoke_key(request: Request, prefix: Prefix, if_match: IfMatch = "") -> Response:
        scope, now = asker(request), serving.runtime.clock()

        def act(connection: Connection) -> dict[str, Any]:
            require_match(if_match, _key(keys.get_key(connection, scope, prefix)))
            return _key(keys.revoke_key(connection, scope, prefix, now))

        return answer(await asyncio.wrap_future(control.submit(act)))


def exports_router(serving: Serving) -> APIRouter:
    """The route that gives files."""
    router = APIRouter(route_class=serving.route_class, tags=["Exports"])
    about = described("Runs or a breakdown as a file, the same as the pages give", {})
    binary = {"schema": {"type": "string", "format": "binary"}}
    about["responses"][200]["content"] = {
        MEDIA_TYPES[name].partition(";")[0]: {"schema": {}} if name == "json" else binary for name in _FORMATS
    }

    @router.get("/v1/exports/{subject}", **about)
    async def export_runs(
        request: Request, subject: Subject, query: Annotated[ExportQuery, InQuery()]
    ) -> Response:
        folder = tempfile.TemporaryDirectory(prefix="runs-export-")

        def write() -> ExportResult:
            document = _document(serving, request, subject, query)
            return export(document, query.format, FilePath(folder.name), bundle=False)

        try:
            made = await serving.lane.run(write)
        except BaseException:
            folder.cleanup()
            raise
        headers = {
            "Content-Disposition": f'attachment; filename="{made.file_name}"',
            "Content-Length": str(made.path.stat().st_size),
            "Export-Rows": str(made.rows),
            "Export-SHA256": made.sha256,
        }
        return StreamingResponse(_parts(made.path, folder), media_type=made.media_type, headers=headers)

    return router


def _document(serving: Serving, request: Request, subject: str, query: ExportQuery) -> Document:
    asked, selection = selected(serving, request, query)
    made_at = serving.runtime.clock()
    if subject == "runs":
        return subjects.runs_document(asked, selection, made_at)
    if subject == "by-day":
        return subjects.days_document(asked, selection, made_at)
    dimension = as_dimension(subject.removeprefix("by-"))
    return subjects.breakdown_document(asked, selection, dimension, made_at)


def _parts(path: FilePath, folder: tempfile.TemporaryDirectory[str]) -> Iterator[bytes]:
    """The file, bit by bit; it is gone afterwards."""
    with folder, path.open("rb") as file:
        while part := file.read(_CHUNK_BYTES):
            yield part


def _key(key: ApiKey) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "label": key.label,
        "scopes": list(key.scopes),
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
    }
