"""The API through the official client and through Pronk's own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from app.core.errors import BadRequest, EngineFailed
from app.engine.client import EngineClient
from app.engine.values import ChatOptions, PromptRead, TextArrived
from tests.support.engine import Running

pytestmark = pytest.mark.native

HELLO = [{"role": "user", "content": "Say hello."}]
GREEDY = ChatOptions(max_tokens=12, temperature=0)


@pytest.fixture
def official(served: Running) -> Any:
    client = openai.OpenAI(base_url=served.engine.url, api_key=served.engine.api_key, max_retries=0)
    with client:
        yield client


def test_official_client_whole_and_streamed_agree(official: Any) -> None:
    fields: dict[str, Any] = {"model": "default", "messages": HELLO, "max_tokens": 12, "temperature": 0}
    whole = official.chat.completions.create(**fields)
    with official.chat.completions.create(**fields, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    assert whole.choices[0].message.content == "".join(
        chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices
    )
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage.completion_tokens == 12
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 12
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 12
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert whole.model == official.models.list().data[0].id


def test_official_client_completions(official: Any) -> None:
    answer = official.completions.create(model="default", prompt="1 2 3 4 5 6", max_tokens=4, temperature=0)
    assert answer.choices[0].text.strip().startswith("7")
    with official.completions.create(
        model="default", prompt="1 2 3 4 5 6", max_tokens=4, temperature=0, stream=True
    ) as stream:
        assert "".join(chunk.choices[0].text for chunk in stream) == answer.choices[0].text


def test_official_client_errors(official: Any) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        official.chat.completions.create(model="default", messages=HELLO, n=2)
    assert caught.value.param == "n"
    with pytest.raises(openai.NotFoundError):
        official.chat.completions.create(model="gpt-5", messages=HELLO)
    with pytest.raises(openai.AuthenticationError):
        official.with_options(api_key="wrong").models.list()


def test_own_client_streams_with_figures(served: Running) -> None:
    events: list[Any] = []
    answer = served.client.chat(HELLO, GREEDY, events.append)
    assert answer.text == "".join(event.text for event in events if isinstance(event, TextArrived))
    assert answer.finish_reason == "length"
    assert answer.usage["completion_tokens"] == 12
    assert answer.timings["decode_tokens_per_s"] > 0
    assert answer.timings["first_token_s"] > 0


def test_seed_repeats_and_temperature_varies(served: Running) -> None:
    def ask(seed: int | None) -> str:
        return served.client.chat(HELLO, ChatOptions(max_tokens=12, temperature=1.5, seed=seed)).text

    assert ask(7) == ask(7)
    assert len({ask(None) for _ in range(4)}) > 1


def test_stop_string_ends_without_showing(served: Running) -> None:
    whole = served.client.chat(HELLO, GREEDY).text
    stop = whole[5:9]
    answer = served.client.chat(HELLO, ChatOptions(max_tokens=12, temperature=0, stop=(stop,)))
    assert answer.text == whole[: whole.index(stop)]
    assert answer.finish_reason == "stop"


def test_model_ends_by_itself(served: Running) -> None:
    prompt = "Answer with one word: what colour is the sky?"
    answer = served.client.chat([{"role": "user", "content": prompt}], ChatOptions(max_tokens=300, temperature=0))
    assert answer.finish_reason == "stop"
    assert "<|im_end|>" not in answer.text


def test_unicode_is_whole_in_every_chunk(served: Running) -> None:
    events: list[Any] = []
    prompt = "Repeat exactly: 数据库里有很多很多的数据。🦊🎉👩‍🚀 你好，世界"
    served.client.chat([{"role": "user", "content": prompt}], ChatOptions(max_tokens=60, temperature=0), events.append)
    text = "".join(event.text for event in events if isinstance(event, TextArrived))
    assert any(ord(character) > 0x3000 for character in text)
    assert "\ufffd" not in text.rstrip("\ufffd")
    assert served.client.tokenize("数🦊") == served.client.tokenize("数🦊")


def test_two_clients_at_once_get_their_own_answers(served: Running) -> None:
    questions = ["Count from 1 to 9.", "Name three animals."]
    options = ChatOptions(max_tokens=24, temperature=0)

    def ask(question: str) -> str:
        return served.client.chat([{"role": "user", "content": question}], options).text

    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(ask, questions))
    assert together[0] != together[1]
    assert all(text for text in together)


def test_cancel_stops_within_one_token_and_frees_the_engine(served: Running) -> None:
    cancel = threading.Event()
    events: list[Any] = []

    def on_event(event: Any) -> None:
        events.append(event)
        if len(events) == 4:
            cancel.set()

    story = [{"role": "user", "content": "Tell a very long story about a fox."}]
    answer = served.client.chat(story, ChatOptions(max_tokens=1500, temperature=0), on_event, cancel)
    assert answer.finish_reason == "cancelled"
    assert answer.text
    assert len(events) <= 8
    wait_idle(served)


def wait_idle(served: Running, timeout_s: float = 1.5) -> None:
    from tests.support.waiting import wait_until

    wait_until(lambda: served.client.health()["under_way"] == 0, timeout_s, "an idle engine")


def test_cancel_of_a_long_prompt_frees_the_engine(served: Running) -> None:
    cancel = threading.Event()
    events: list[Any] = []

    def on_event(event: Any) -> None:
        events.append(event)
        cancel.set()

    long = [{"role": "user", "content": " ".join(str(number) for number in range(220))}]
    answer = served.client.chat(long, ChatOptions(max_tokens=1), on_event, cancel)
    assert (answer.finish_reason, answer.text) == ("cancelled", "")
    assert isinstance(events[0], PromptRead)
    assert events[0].done_tokens < events[0].total_tokens
    # The rest of the prompt is one batch of several seconds: it must be dropped in its middle.
    after = served.client.chat(HELLO, GREEDY)
    assert after.text
    assert after.timings["queue_s"] < 1


def test_prompt_beyond_the_context_tells_both_numbers(served: Running) -> None:
    count, n_ctx = served.client.count_tokens([{"role": "user", "content": "word " * 3000}])
    with pytest.raises(BadRequest) as caught:
        served.client.chat([{"role": "user", "content": "word " * 3000}])
    assert f"{count:,}" in caught.value.message
    assert f"{n_ctx:,}" in caught.value.message


def test_texts_that_would_hold_up_others_are_refused_unread(served: Running) -> None:
    text = "a" * 3_000_000
    status, document = served.send("POST", "/tokenize", {"text": text})
    assert (status, document["error"]["param"]) == (400, "text")
    with pytest.raises(BadRequest, match=r"3,000,1\d\d characters"):
        served.client.chat([{"role": "user", "content": text}])


def test_answer_that_fills_the_context_ends_with_length(served: Running) -> None:
    prompt = "word " * (served.client.count_tokens(HELLO)[1] - 20)
    status, document = served.send("POST", "/v1/completions", {"prompt": prompt, "temperature": 0, "stop": ["zzz"]})
    assert status == 200
    assert document["choices"][0]["finish_reason"] == "length"
    assert document["usage"]["total_tokens"] == served.client.count_tokens(HELLO)[1]


def test_prefix_of_a_conversation_is_reused(served: Running) -> None:
    talk: list[dict[str, Any]] = [{"role": "user", "content": "Remember these: " + "apple pear " * 60}]
    first = served.client.chat(talk, GREEDY)
    talk += [{"role": "assistant", "content": first.text}, {"role": "user", "content": "Thanks."}]
    second = served.client.chat(talk, GREEDY)
    cached = second.usage["prompt_tokens_details"]["cached_tokens"]
    assert cached >= first.usage["prompt_tokens"] - 1
    # Regenerating reads everything again, as a fresh run does.
    again = served.client.chat(talk, GREEDY).usage
    assert again["prompt_tokens_details"]["cached_tokens"] == 0


def test_queue_is_bounded(served: Running) -> None:
    cancel = threading.Event()
    long = ChatOptions(max_tokens=1500, temperature=1.5)

    def ask(_: int) -> str:
        try:
            return served.client.chat(HELLO, long, cancel=cancel).finish_reason
        except Exception as error:  # noqa: BLE001 - its type is the result
            return type(error).__name__

    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(ask, i) for i in range(12)]
        from tests.support.waiting import wait_until

        wait_until(lambda: sum(answer.done() for answer in answers) >= 2, 20, "two refusals")
        cancel.set()
        results = [answer.result() for answer in answers]
    assert results.count("Busy") == 2
    wait_idle(served)


def test_health_proves_itself(served: Running) -> None:
    health = served.client.health()
    assert (health["state"], health["load_percent"]) == ("ready", 100.0)
    assert health["engine_pid"] == served.engine.engine_pid
    with pytest.raises(EngineFailed, match="Another program"):
        EngineClient(served.engine.url, "another key").health()


def test_plan_and_first_event_of_the_contract(served: Running) -> None:
    assert served.kinds()[0] == "ready"
    ready = served.events[0]
    assert set(ready) == {"event", "url", "api_key", "engine_pid", "plan"}
    assert ready["plan"]["context"] == 1024
    progress = [event for event in served.events if event["event"] == "progress"]
    assert progress[-1]["done_bytes"] == progress[-1]["total_bytes"] > 90_000_000
    assert served.wait_for("loaded")["load_s"] > 0
