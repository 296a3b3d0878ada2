"""The one thing that can be written here: what is right where a verdict is wrong, as JSON.

Asked for as `application/json` only, which no form or page of another site can send without asking first;
this server gives no such permission.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pipeline.classify.labels import Change, Label, LabelError
from pipeline.store import corrections
from pipeline.store.corrections import CorrectionError

LARGEST = 16 * 1024  # bytes of a request


class Correction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be sent: what is right instead, who says so, and why."""

    right: Change
    by: Annotated[str, Meta(min_length=1, max_length=corrections.NAME)]
    note: Annotated[str, Meta(max_length=corrections.NOTE)] = ""


def correct(engine: Engine) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint: 201 with the whole label that was taken, 4xx with the reason why not."""

    def take(article_id: str, asked: Correction) -> Label:
        with engine.begin() as tx:
            return corrections.add(tx, article_id, asked.right, asked.by, asked.note).label

    async def endpoint(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _refused(415, "send application/json")
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return _refused(413, f"send {LARGEST} bytes at most")
        try:
            asked = msgspec.json.decode(body, type=Correction)
            label = await run_in_threadpool(take, request.path_params["article_id"], asked)
        except (msgspec.MsgspecError, UnicodeDecodeError, LabelError) as error:
            return _refused(400, str(error))
        except CorrectionError as error:
            return _refused(409, str(error))
        return JSONResponse(msgspec.to_builtins(label), 201)

    return endpoint


def _refused(status: int, reason: str) -> Response:
    return JSONResponse({"reason": reason}, status)
