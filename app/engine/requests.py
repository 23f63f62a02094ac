"""What a client may ask: JSON to checked values. Unknown fields are passed over, wrong ones are named."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.engine.security import MAX_DEPTH, Refusal

_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_OPENING = (b"[", b"{")

Stop = Annotated[str, Field(max_length=256)]
Penalty = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)


Checked = TypeVar("Checked", bound=_Model)


class Part(_Model):
    """A piece of a message; only text is understood."""

    type: Literal["text"]
    text: str


class ChatMessage(_Model):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The message's text; parts are joined by line ends."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(_Model):
    """OpenAI's stream_options."""

    include_usage: bool | None = None


class ResponseFormat(_Model):
    """OpenAI's response_format."""

    type: str


class Options(_Model):
    """The fields that chat and plain completions share. None leaves the default to the engine."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)] | None = None
    temperature: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repeat_penalty: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    logprobs: bool | int | None = None
    logit_bias: dict[str, float] | None = None

    @property
    def stops(self) -> list[str]:
        """The stop strings as a list."""
        if self.stop is None:
            return []
        return [self.stop] if isinstance(self.stop, str) else list(self.stop)

    def sampling(self) -> dict[str, Any]:
        """Return the fields of llama.session_sampler.Sampling that the client set."""
        names = ("temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repeat_penalty")
        chosen = {name: getattr(self, name) for name in (*names, "seed")}
        return {name: value for name, value in chosen.items() if value is not None}

    def require_known(self) -> None:
        """Refuse what this version does not do, naming the field."""
        if self.n is not None and self.n > 1:
            _not_yet("n", "several answers at once")
        if self.logprobs:
            _not_yet("logprobs", "log probabilities")
        if self.logit_bias:
            _not_yet("logit_bias", "logit biases")


class ChatRequest(Options):
    """The body of POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    max_completion_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens the answer may have."""
        return self.max_completion_tokens or self.max_tokens

    def require_known(self) -> None:
        """Refuse what this version does not do, naming the field."""
        super().require_known()
        if self.tools:
            _not_yet("tools", "tools")
        if self.tool_choice not in (None, "none", "auto"):
            _not_yet("tool_choice", "forced tools")
        if self.response_format is not None and self.response_format.type != "text":
            _not_yet("response_format", f"answers of type {self.response_format.type!r}")


class CompletionRequest(Options):
    """The body of POST /v1/completions."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]
    echo: bool | None = None
    suffix: str | None = None

    @property
    def limit(self) -> int | None:
        """The most tokens the answer may have."""
        return self.max_tokens

    @property
    def text(self) -> str:
        """The prompt."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    def require_known(self) -> None:
        """Refuse what this version does not do, naming the field."""
        super().require_known()
        if self.echo:
            _not_yet("echo", "echoing the prompt")
        if self.suffix:
            _not_yet("suffix", "filling in before a suffix")


MAX_TOKENIZE_CHARACTERS = 1_000_000
"""Counted between two rounds of decoding: a longer text would hold up the answers under way."""


class TokenizeRequest(_Model):
    """The body of POST /tokenize: a text, or messages that go through the model's chat template first."""

    text: Annotated[str, Field(max_length=MAX_TOKENIZE_CHARACTERS)] | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)] | None = None


def read_json(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object in a body; raises Refusal for what is none or is nested too deeply."""
    _require_depth(body)
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"The body is not JSON: {error}", "bad_json") from None
    if not isinstance(document, dict):
        raise Refusal(400, "The body must be a JSON object.", "bad_json")
    return document


def checked(model: type[Checked], document: Mapping[str, Any]) -> Checked:
    """Return the request a document holds; raises Refusal that names a field at fault."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        # Of a union's branches the one that got furthest is meant.
        furthest = max(faults, key=lambda fault: len(fault["loc"]))
        field = _field_name(furthest["loc"])
        raise Refusal(400, f"{field}: {furthest['msg']}", "invalid_value", param=field) from None


def _field_name(location: tuple[int | str, ...]) -> str:
    """Return "messages[0].role" for a place; a union's branches ("str", "list[…]") are left out."""
    name = ""
    for step in location:
        if isinstance(step, int):
            name += f"[{step}]"
        elif step.isidentifier() and step not in ("str", "bool", "int", "float"):
            name += f".{step}" if name else step
    return name or "body"


def _require_depth(body: bytes) -> None:
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(body):
        if match[0] in _OPENING:
            depth += 1
            if depth > MAX_DEPTH:
                raise Refusal(400, f"The JSON is nested more than {MAX_DEPTH} deep.", "bad_json")
        elif match[0] in (b"]", b"}"):
            depth -= 1


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _not_yet(field: str, what: str) -> NoReturn:
    raise Refusal(400, f"{field}: this version of Pronk does not do {what} yet.", "not_yet", param=field)
