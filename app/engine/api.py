"""The HTTP API: OpenAI's chat and completions, models, health and tokenize."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from app.core.errors import AppError
from app.engine.answers import AnswerShape, error_chunk
from app.engine.host import Host
from app.engine.prompts import Prompts
from app.engine.reasoning import OPEN, ReasoningSplitter
from app.engine.requests import ChatRequest, CompletionRequest, Options, TokenizeRequest, checked, read_json
from app.engine.security import MAX_BODY_BYTES, Door, Refusal

Event = Mapping[str, Any]
Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]

WAITING_MAX = 8
_log = logging.getLogger(__name__)
_FAULT = Refusal(500, "A fault in Pronk; the details stand in its log.", "bug")
_STATUS = {"bad_request": 400, "memory": 503, "busy": 429, "not_yet": 501, "unsupported_model": 400}


class Api:
    """The ASGI application."""

    def __init__(self, door: Door, host: Host, prompts: Prompts) -> None:
        self._door = door
        self._host = host
        self._prompts = prompts
        self._under_way = 0
        self._created_s = int(time.time())
        self._routes: dict[str, dict[str, Endpoint]] = {
            "/v1/chat/completions": {"POST": self._chat},
            "/v1/completions": {"POST": self._complete},
            "/v1/models": {"GET": self._models},
            "/tokenize": {"POST": self._tokenize},
            "/health": {"GET": self._health},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every error is a JSON document in OpenAI's form."""
        if scope["type"] != "http":
            return
        try:
            endpoint = self._endpoint(scope)
            await endpoint(scope, receive, send)
        except (Refusal, AppError) as error:
            refusal = error if isinstance(error, Refusal) else refusal_of(error)
            await _send_json(send, refusal.document(), refusal.status)
        except Exception:  # noqa: BLE001 - the border of the server: the client must hear of it
            _log.exception("a fault while answering %s", scope["path"])
            with contextlib.suppress(RuntimeError):  # the answer has begun: it can only be cut
                await _send_json(send, _FAULT.document(), _FAULT.status)

    def _endpoint(self, scope: Scope) -> Endpoint:
        path = scope["path"]
        refusal = self._door.refusal(scope["headers"], open_to_all=path == "/health")
        if refusal is not None:
            raise refusal
        methods = self._routes.get(path)
        if methods is None:
            raise Refusal(404, "There is nothing at this path.", "not_found", hint="See POST /v1/chat/completions.")
        endpoint = methods.get(scope["method"])
        if endpoint is None:
            raise Refusal(405, f"{path} answers {', '.join(methods)} only.", "method_not_allowed")
        return endpoint

    async def _chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = checked(ChatRequest, read_json(await _read_body(scope, receive)))
        self._require_served(request)
        messages = [{"role": _role(message.role), "content": message.text} for message in request.messages]

        async def prompt() -> str:
            await self._host.ready()
            return await self._prompts.render(messages)

        await self._answer(request, request.limit, prompt, receive, send, chat=True)

    async def _complete(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = checked(CompletionRequest, read_json(await _read_body(scope, receive)))
        self._require_served(request)

        async def prompt() -> str:
            return request.text

        await self._answer(request, request.limit, prompt, receive, send, chat=False)

    async def _answer(
        self,
        request: Options,
        limit: int | None,
        prompt: Callable[[], Awaitable[str]],
        receive: Receive,
        send: Send,
        chat: bool,
    ) -> None:
        most = self._host.served.parallel + WAITING_MAX
        if self._under_way >= most:
            raise Refusal(429, f"{most} requests are under way already.", "busy", hint="Try again in a moment.")
        self._under_way += 1
        shape = AnswerShape(self._host.served.model_id, chat)
        fields = {"max_tokens": limit, "stops": request.stops, "sampling": request.sampling()}
        try:
            if request.stream:
                apart = bool(request.stream_options and request.stream_options.include_usage)
                work = _stream(self._events(fields, prompt), shape, send, apart)
            else:
                work = _whole(self._events(fields, prompt), shape, send)
            await _unless_disconnected(work, receive)
        finally:
            self._under_way -= 1

    async def _events(
        self, fields: Mapping[str, Any], prompt: Callable[[], Awaitable[str]]
    ) -> AsyncIterator[list[Event]]:
        """Yield the answer's events, those that have come meanwhile together, with reasoning split off."""
        text = await prompt()
        splitter = ReasoningSplitter(thinking=text.rstrip().endswith(OPEN))
        async with contextlib.aclosing(self._host.generate({**fields, "prompt": text})) as events:
            async for some in events:
                yield [event for one in some for event in _split(one, splitter)]

    def _require_served(self, request: Options) -> None:
        request.require_known()
        model_id = self._host.served.model_id
        if request.model and request.model.casefold() not in (model_id.casefold(), "default"):
            raise Refusal(
                404,
                f"The model {request.model[:100]!r} is not served here; {model_id!r} is.",
                "model_not_found",
                "model",
            )

    async def _models(self, scope: Scope, receive: Receive, send: Send) -> None:
        model = {"id": self._host.served.model_id, "object": "model", "created": self._created_s, "owned_by": "pronk"}
        details = {"n_ctx": self._host.model.get("n_ctx"), "n_ctx_train": self._host.model.get("n_ctx_train")}
        await _send_json(send, {"object": "list", "data": [{**model, "meta": details}]})

    async def _tokenize(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = checked(TokenizeRequest, read_json(await _read_body(scope, receive)))
        text = request.text or ""
        if request.text is None and not request.messages:
            raise Refusal(400, "The body has neither text nor messages.", "missing_field", "text")
        if request.messages:
            await self._host.ready()
            text = await self._prompts.render(
                [{"role": _role(message.role), "content": message.text} for message in request.messages]
            )
        tokens = await self._host.tokenize(text)
        await _send_json(send, {"tokens": tokens, "count": len(tokens), "n_ctx": self._host.model.get("n_ctx")})

    async def _health(self, scope: Scope, receive: Receive, send: Send) -> None:
        document = {
            "state": self._host.state,
            "load_percent": round(100 * self._host.load_part, 1),
            "model": self._host.served.model_id,
            "engine_pid": self._host.engine_pid,
            "under_way": self._under_way,
        }
        nonce = _query(scope).get("nonce")
        if nonce:
            document["proof"] = self._door.proof(nonce[:256])
        await _send_json(send, document)


def refusal_of(error: AppError) -> Refusal:
    """Return an error as an HTTP answer."""
    return Refusal(_STATUS.get(error.kind, 500), error.message, error.kind, hint=error.hint)


def _split(event: Event, splitter: ReasoningSplitter) -> list[Event]:
    """Turn a text event into a reasoning and an answer event, as far as there is something to show."""
    if event["event"] == "text":
        reasoning, text = splitter.feed(event["text"])
        return _shown(reasoning, text)
    if event["event"] == "end":
        return [*_shown(*splitter.finish()), event]
    return [event]


def _shown(reasoning: str, text: str) -> list[Event]:
    events = [{"event": "reasoning", "text": reasoning}] if reasoning else []
    return [*events, {"event": "text", "text": text}] if text else [*events]


async def _stream(events: AsyncIterator[list[Event]], shape: AnswerShape, send: Send, usage_apart: bool) -> None:
    """Send an answer as it is written. An error before the first event is a plain answer, after it a last chunk."""
    begun = False
    try:
        async for some in events:
            data = b"".join(_chunk(event, shape, usage_apart) for event in some)
            if not begun:
                begun = True
                await _begin_stream(send)
            if data:
                await send({"type": "http.response.body", "body": data, "more_body": True})
    except AppError as error:
        if not begun:
            raise
        document = refusal_of(error).document()
        await send({"type": "http.response.body", "body": error_chunk(document), "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _chunk(event: Event, shape: AnswerShape, usage_apart: bool) -> bytes:
    kind = event["event"]
    if kind == "text":
        return shape.text(event["text"])
    if kind == "reasoning":
        return shape.reasoning(event["text"])
    if kind == "prompt":
        return shape.progress(event["done_tokens"], event["total_tokens"])
    if kind == "start":
        return shape.role()
    return shape.end(event, usage_apart)


async def _whole(events: AsyncIterator[list[Event]], shape: AnswerShape, send: Send) -> None:
    texts: dict[str, list[str]] = {"text": [], "reasoning": []}
    end: Event = {}
    async for some in events:
        for event in some:
            if event["event"] in texts:
                texts[event["event"]].append(event["text"])
            elif event["event"] == "end":
                end = event
    await _send_json(send, shape.document("".join(texts["text"]), "".join(texts["reasoning"]), end))


async def _unless_disconnected(work: Awaitable[None], receive: Receive) -> None:
    """Run `work`, but drop it when the client goes away."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    if not task.cancelled():
        task.result()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refusal(415, "The body must be sent as application/json.", "unsupported_media_type")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The body ended early.", "bad_json")
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            return bytes(body)


def _too_large() -> Refusal:
    return Refusal(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.", "too_large")


def _role(role: str) -> str:
    return "system" if role == "developer" else role


def _query(scope: Scope) -> dict[str, str]:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(scope["query_string"].decode("ascii", "replace")))


async def _send_json(send: Send, document: Mapping[str, Any], status: int = 200) -> None:
    body = json.dumps(document, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _begin_stream(send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
