"""What a client may ask: wrong fields are named, unknown ones passed over, nothing is silently ignored."""

from typing import Any

import pytest

from app.engine.requests import ChatRequest, CompletionRequest, checked, read_json
from app.engine.security import Refusal

HELLO = {"messages": [{"role": "user", "content": "hi"}]}


def chat(**fields: Any) -> ChatRequest:
    request = checked(ChatRequest, {**HELLO, **fields})
    request.require_known()
    return request


def test_all_options_arrive() -> None:
    request = chat(temperature=0, top_p=0.9, top_k=5, min_p=0.1, seed=7, stop="x", max_completion_tokens=3, what=1)
    assert request.sampling() == {"temperature": 0, "top_p": 0.9, "top_k": 5, "min_p": 0.1, "seed": 7}
    assert (request.stops, request.limit) == (["x"], 3)


def test_parts_of_a_message_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    request = checked(ChatRequest, {"messages": [{"role": "user", "content": parts}]})
    assert request.messages[0].text == "a\nb"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 2**40}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"seed": 1.5}, "seed"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": [1]}, "stop[0]"),
        ({"stream": "yes"}, "stream"),
        ({"n": 0}, "n"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"logit_bias": {"5": 1.0}}, "logit_bias"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
    ],
)
def test_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Refusal) as caught:
        chat(**fields)
    assert caught.value.status == 400
    assert caught.value.param is not None
    assert caught.value.param.startswith(param)


def test_image_is_refused_by_its_place() -> None:
    parts = [{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]
    with pytest.raises(Refusal, match=r"messages\[0\]\.content"):
        chat(messages=[{"role": "user", "content": parts}])


def test_completion_takes_one_prompt() -> None:
    assert checked(CompletionRequest, {"prompt": ["once"]}).text == "once"
    with pytest.raises(Refusal):
        checked(CompletionRequest, {"prompt": ["a", "b"]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"5",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"\xff\xfe",
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"[" * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
)
def test_bad_json(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read_json(body)
    assert caught.value.status == 400


def test_brackets_in_strings_are_not_depth() -> None:
    assert read_json(b'{"a": "' + b"[" * 1000 + b'\\"{"}')["a"].startswith("[[")
