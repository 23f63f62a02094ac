"""The helper process: asks llama.cpp what could abort the process that asks.

One JSON request a line on its stdin, one answer a line on its stdout; end of file ends it. {"do": "tokenize", "model",
"pre" (a name or null), "texts"} gives {"ids"}; {"do": "types", "model", "file_types"} gives {"types"};
{"do": "list", "model"} and {"do": "try", "model", "n_tokens", "n_threads", "most_s"} give what trial.py says; a failure
gives {"error"}.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TextIO

from converters.errors import ConvertError, EngineFailed
from converters.events import Cancel
from converters.jsonfile import JsonObject
from converters.quant_types import FILE_TYPES


class Helper:
    """The asking side; starts the process when needed, and again after it died. Close it with `with`."""

    def __init__(self, cancel: Cancel) -> None:
        self._cancel = cancel
        self._process: subprocess.Popen[str] | None = None
        self._code: int | None = None

    def __enter__(self) -> Self:
        self._cancel.on_cancel(self.kill)
        self._process = _start()  # it loads the library while the caller reads headers
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def ask(self, **request: Any) -> JsonObject:
        """Give the answer to one request; raises EngineFailed when llama.cpp refused, or its process died twice on it.

        Once may be bad luck, such as a lack of memory; a request that kills is told by the second time."""
        line = self._line(request) or self._line(request)
        if not line:
            raise EngineFailed(f"llama.cpp's process ended (code {self._code}) on {request.get('do')}.")
        answer: JsonObject = json.loads(line)
        if "error" in answer:
            raise EngineFailed(str(answer["error"]), hint=str(answer.get("hint", "")))
        return answer

    def _line(self, request: JsonObject) -> str:
        """Give the line that answers, or "" when the process died."""
        process = self._process = self._process or _start()
        self._cancel.check()  # a flag raised before has killed the process before this one
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (OSError, ValueError):
            line = ""
        self._cancel.check()
        if not line.endswith("\n"):
            self.kill()
            self._code = process.returncode
            return ""
        return line

    def kill(self) -> None:
        """End the process if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


def _close(pipe: IO[str]) -> None:
    try:
        pipe.close()
    except OSError:  # the unsent rest of a request to a process that is gone
        return


def _start() -> subprocess.Popen[str]:
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "GGML_NO_BACKTRACE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait for each other must not take the cores from the rest
        "PYTHONUTF8": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    frozen = getattr(sys, "frozen", False)
    command = [sys.executable, "--child", "converters"] if frozen else [sys.executable, "-P", "-m", "converters"]
    return subprocess.Popen(
        [*command, "helper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
    )


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until the end of file."""
    from converters.ggml import Library

    try:
        library = Library()
    except ConvertError as error:
        _refuse_all(requests, answers, error)
        return
    actions: dict[str, Callable[[JsonObject], JsonObject]] = {
        "tokenize": lambda r: {"ids": library.tokenize(Path(r["model"]), r["pre"], r["texts"])},
        "try": lambda r: library.try_file(Path(r["model"]), r["n_tokens"], r["n_threads"], r["most_s"]),
        "list": lambda r: library.list_tensors(Path(r["model"])),
        "types": lambda r: {
            "types": [library.planned_types(Path(r["model"]), FILE_TYPES[name]) for name in r["file_types"]]
        },
    }
    for line in requests:
        request = json.loads(line)
        try:
            answer = actions[request["do"]](request)
        except ConvertError as error:
            answer = {"error": error.message, "hint": error.hint}
        _answer(answers, answer)


def _refuse_all(requests: TextIO, answers: TextIO, error: ConvertError) -> None:
    for _ in requests:
        _answer(answers, {"error": error.message, "hint": error.hint})


def _answer(answers: TextIO, answer: JsonObject) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
