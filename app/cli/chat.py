"""pronk chat: one answer, or a conversation in the terminal."""

import argparse
import contextlib
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from app.actions.context import Pronk
from app.cli.engine_options import plan_words
from app.cli.numbers import positive, temperature
from app.cli.output import Output, add_json
from app.cli.plan_options import add_plan_options
from app.core.errors import AppError, BadRequest, Cancelled

if TYPE_CHECKING:
    from app.engine.client import EngineClient
    from app.engine.values import Answer, ChatEvent, ChatOptions

HELP = """/new begins a new conversation, /help shows this.
Ctrl+C stops an answer, Ctrl+D ends."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = commands.add_parser("chat", help="ask a model once, or talk with it in the terminal")
    parser.add_argument("model", metavar="MODEL", help="a .gguf file or a library name")
    parser.add_argument("--prompt", metavar="TEXT", help="ask this once and print the answer")
    parser.add_argument("--max-tokens", metavar="N", type=positive, help="the most tokens an answer may have")
    parser.add_argument("--temperature", metavar="X", type=temperature, help="0 takes the likeliest word each time")
    add_plan_options(parser)
    add_json(parser)


def run(arguments: argparse.Namespace, pronk: Pronk) -> int:
    """Answer --prompt, or hold a conversation until the end of input."""
    from app.actions.engine import start_engine
    from app.engine.client import EngineClient
    from app.engine.values import ChatOptions

    if arguments.json and arguments.prompt is None:
        raise BadRequest("--json needs --prompt.", hint="A conversation has no single answer to print.")
    output = Output(arguments)
    loading = _Loading(output)
    options = ChatOptions(max_tokens=arguments.max_tokens, temperature=arguments.temperature)
    with plan_words(arguments) as words:
        engine = start_engine(pronk, arguments.model, words, loading.event)
        try:
            loading.wait()
            if loading.note:
                print(loading.note, file=sys.stderr)
            client = EngineClient(engine.url, engine.api_key)
            if arguments.prompt is not None:
                return _ask_once(client, arguments.prompt, options, output)
            return _converse(client, options)
        finally:
            engine.close()


class _Loading:
    """Shows how far the model is loaded and waits for its end."""

    def __init__(self, output: Output) -> None:
        self.note = ""
        self._output = output
        self._over = threading.Event()
        self._failure: Mapping[str, Any] | None = None

    def event(self, event: Mapping[str, Any]) -> None:
        """Take an event of the engine."""
        kind = event["event"]
        if kind == "progress" and not self._over.is_set():
            self._output.event(event)
        elif kind == "replanned":
            print(event["reason"], file=sys.stderr, flush=True)
        elif kind in ("loaded", "failed"):
            self.note = str(event.get("note", ""))
            self._failure = event if kind == "failed" and not self._over.is_set() else self._failure
            self._over.set()

    def wait(self) -> None:
        """Wait until the model is loaded; raises the error that kept it from it."""
        from app.core.errors import from_event

        while not self._over.wait(0.1):  # short waits let Ctrl+C through
            pass
        if sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        if self._failure is not None:
            failure = self._failure
            raise from_event(str(failure["kind"]), str(failure["message"]), str(failure.get("hint") or ""))


def _ask_once(client: "EngineClient", prompt: str, options: "ChatOptions", output: Output) -> int:
    cancel = threading.Event()
    show = (lambda _: None) if output.json else _Printer().event
    with _ctrl_c_sets(cancel):
        answer = client.chat([{"role": "user", "content": prompt}], options, show, cancel)
    if answer.finish_reason == "cancelled":
        raise Cancelled
    if output.json:
        output.done(answer)
    else:
        print()
    return 0


def _converse(client: "EngineClient", options: "ChatOptions") -> int:
    messages: list[dict[str, str]] = []
    print(HELP)
    while (line := _read_line()) is not None:
        if line == "/new":
            messages = []
            print("A new conversation.")
        elif re.fullmatch(r"/\w+", line):
            print(HELP if line == "/help" else f"There is no {line}.\n{HELP}")
        elif line:
            messages.append({"role": "user", "content": line})
            _answer_to(messages, client, options)
    print()
    return 0


def _read_line() -> str | None:
    """Return the user's next line, None at the end of input; Ctrl+C drops the line."""
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return None
    except KeyboardInterrupt:
        print()
        return ""


def _answer_to(messages: list[dict[str, str]], client: "EngineClient", options: "ChatOptions") -> None:
    """Print the answer and append it; a failure is told, the question stays out of the conversation then."""
    cancel = threading.Event()
    try:
        with _ctrl_c_sets(cancel):
            answer: Answer = client.chat(messages, options, _Printer().event, cancel)
    except AppError as error:
        messages.pop()
        print(f"\n{error.message} {error.hint}", file=sys.stderr)
        return
    note = {"cancelled": " [stopped]", "length": " [cut: no more tokens]"}.get(answer.finish_reason, "")
    print(note)
    messages.append({"role": "assistant", "content": answer.text})


class _Printer:
    """Prints an answer as it comes; thinking in grey on a terminal, left out elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._thinking = False

    def event(self, event: "ChatEvent") -> None:
        """Print an event."""
        from app.engine.values import ReasoningArrived, TextArrived

        if isinstance(event, ReasoningArrived) and self._terminal:
            print(("" if self._thinking else "\x1b[90m") + event.text, end="", flush=True)
            self._thinking = True
        elif isinstance(event, TextArrived):
            print(("\x1b[0m\n" if self._thinking else "") + event.text, end="", flush=True)
            self._thinking = False


@contextlib.contextmanager
def _ctrl_c_sets(cancel: threading.Event) -> Iterator[None]:
    """Let Ctrl+C stop the answer instead of the program."""
    set_it: Callable[..., None] = lambda *_: cancel.set()  # noqa: E731
    before = signal.signal(signal.SIGINT, set_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
