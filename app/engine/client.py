"""The engine's client, for the window and the command line: OpenAI's chat API over http.client."""

import contextlib
import hashlib
import hmac
import http.client
import json
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from app.core.errors import AppError, BadRequest, Busy, EngineFailed, NetworkError, from_event
from app.engine.values import Answer, ChatEvent, ChatOptions, PromptRead, ReasoningArrived, TextArrived

CONNECT_TIMEOUT_S = 10.0
CANCEL_POLL_S = 0.05
_NO_REASON = "The answer ended before it was complete."


class EngineClient:
    """Talks to one server; any thread may use it, each call has a connection of its own."""

    def __init__(self, url: str, api_key: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if self._secure else 80)
        self._base = parts.path.rstrip("/")
        self._root = self._base.removesuffix("/v1")
        self._key = api_key

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        options: ChatOptions | None = None,
        on_event: Callable[[ChatEvent], None] = lambda _: None,
        cancel: threading.Event | None = None,
    ) -> Answer:
        """Return the answer to a conversation; `on_event` hears it as it is written, on this thread.

        Setting `cancel` ends it within a moment: what came until then is returned with finish_reason "cancelled".
        Raises NetworkError when nobody answers, EngineFailed when the engine dies, and what the engine refuses with.
        """
        body = _chat_body(messages, options or ChatOptions())
        collected = _Collected()
        with self._connection() as connection, _Watcher(connection, cancel) as watcher:
            try:
                response = self._send(connection, "POST", f"{self._base}/chat/completions", body)
                for document in _stream(response):
                    for event in collected.take(document):
                        on_event(event)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if watcher.cancelled:
                    return collected.answer("cancelled")
                raise NetworkError(_NO_REASON, hint="The engine may have stopped; ask again.") from error
        if collected.finish_reason:
            return collected.answer(collected.finish_reason)
        if watcher.cancelled:
            return collected.answer("cancelled")
        raise EngineFailed(_NO_REASON, hint="The engine may have stopped; ask again.")

    def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """Return how many tokens a conversation takes and how many the context holds."""
        answer = self._ask("POST", f"{self._root}/tokenize", {"messages": list(messages)})
        return int(answer["count"]), int(answer["n_ctx"])

    def tokenize(self, text: str) -> list[int]:
        """Return the model's tokens of a text."""
        tokens: list[int] = self._ask("POST", f"{self._root}/tokenize", {"text": text})["tokens"]
        return tokens

    def models(self) -> list[str]:
        """Return the names of the models that are served."""
        return [str(model["id"]) for model in self._ask("GET", f"{self._base}/models")["data"]]

    def health(self) -> dict[str, Any]:
        """Return the server's state; raises EngineFailed when the server does not prove that it knows the key.

        The key itself is not sent, so that a stranger on this port learns nothing.
        """
        nonce = secrets.token_hex(16)
        answer = self._ask("GET", f"{self._root}/health?nonce={nonce}", with_key=False)
        expected = hmac.new(self._key.encode(), nonce.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(str(answer.get("proof", "")), expected):
            raise EngineFailed(
                f"Another program answers on port {self._port}; it is not Pronk's engine.",
                hint="Close that program, or start the engine on another port.",
            )
        return answer

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, with_key: bool = True
    ) -> dict[str, Any]:
        with self._connection() as connection:
            try:
                response = self._send(connection, method, path, body, with_key)
                document = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise NetworkError(
                    f"{self._host}:{self._port} gave no proper answer ({error}).",
                    hint="Check that the engine is running.",
                ) from error
        return document if isinstance(document, dict) else {}

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        with_key: bool = True,
    ) -> http.client.HTTPResponse:
        headers = {"Content-Type": "application/json"}
        if with_key:
            headers["Authorization"] = f"Bearer {self._key}"
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        if response.status != 200:
            raise _error_of(response.status, response.read())
        return response

    @contextlib.contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NetworkError(
                f"Nobody answers on {self._host}:{self._port} ({error.strerror or error}).",
                hint="Check that the engine is running.",
            ) from error
        connection.sock.settimeout(None)  # a long prompt may take minutes; cancelling shuts the socket down
        try:
            yield connection
        finally:
            connection.close()


class _Watcher:
    """Shuts a connection down when the user cancels: the thread that reads from it wakes up at once."""

    def __init__(self, connection: http.client.HTTPConnection, cancel: threading.Event | None) -> None:
        self.cancelled = False
        self._socket = connection.sock
        self._cancel = cancel
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cancel watcher", daemon=True)

    def __enter__(self) -> "_Watcher":
        if self._cancel is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._cancel is not None:
            self._thread.join()

    def _watch(self) -> None:
        assert self._cancel is not None
        while not self._over.is_set():
            if self._cancel.wait(CANCEL_POLL_S):
                self.cancelled = True
                with contextlib.suppress(OSError):  # it was closed meanwhile
                    self._socket.shutdown(socket.SHUT_RDWR)
                return


class _Collected:
    """Puts an answer together from its chunks."""

    def __init__(self) -> None:
        self.finish_reason = ""
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._usage: Mapping[str, Any] = {}
        self._timings: Mapping[str, Any] = {}

    def take(self, document: Mapping[str, Any]) -> Iterator[ChatEvent]:
        """Take a chunk; yields what it tells. Raises the error it carries."""
        if "error" in document:
            raise _error_from(500, document["error"])
        if progress := document.get("prompt_progress"):
            yield PromptRead(int(progress["done_tokens"]), int(progress["total_tokens"]))
        self._usage = document.get("usage") or self._usage
        self._timings = document.get("timings") or self._timings
        for choice in document.get("choices", ()):
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            yield from self._delta(choice.get("delta") or {})

    def answer(self, finish_reason: str) -> Answer:
        """Return the answer so far."""
        return Answer("".join(self._texts), "".join(self._reasoning), finish_reason, self._usage, self._timings)

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[ChatEvent]:
        if reasoning := delta.get("reasoning_content"):
            self._reasoning.append(reasoning)
            yield ReasoningArrived(reasoning)
        if text := delta.get("content"):
            self._texts.append(text)
            yield TextArrived(text)


def _chat_body(messages: Sequence[Mapping[str, Any]], options: ChatOptions) -> dict[str, Any]:
    chosen = {
        "max_tokens": options.max_tokens,
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "min_p": options.min_p,
        "seed": options.seed,
        "stop": list(options.stop) or None,
    }
    return {
        "messages": list(messages),
        "stream": True,
        **{name: value for name, value in chosen.items() if value is not None},
    }


def _stream(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the documents of a stream of server-sent events."""
    for line in response:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])
        elif line.startswith(b"data: [DONE]"):
            return


def _error_of(status: int, body: bytes) -> AppError:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = {}
    return _error_from(status, error if isinstance(error, dict) else {"message": str(error)})


def _error_from(status: int, error: Mapping[str, Any]) -> AppError:
    message = str(error.get("message") or f"The server answered with status {status}.")
    hint = str(error.get("hint") or "")
    known = from_event(str(error.get("code")), message, hint)
    if isinstance(known, AppError) and known.kind == error.get("code"):
        return known
    if status == 429:
        return Busy(message, hint or "Try again in a moment.")
    if status >= 500:
        return EngineFailed(message, hint)
    return BadRequest(message, hint)
