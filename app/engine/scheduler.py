"""Continuous batching: every round one llama_decode serves all answers that are under way.

A round's batch holds one token of every sequence that writes and, in the room that is left, a chunk of the prompts
that are being read. The two are one thing here: a sequence has tokens, memory holds the first of them, the rest is
to be decoded; who has nothing left to decode but one token is writing.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.core.errors import AppError, BadRequest, NotEnoughMemory
from app.engine.sequences import Sequence, choose, forget, keep_prefix
from app.engine.text import TextStream
from app.llama.session import ABORTED, DECODED, NO_ROOM, Session
from app.llama.session_sampler import Sampler, Sampling

Emit = Callable[[dict[str, Any]], None]

PROGRESS_EVERY_S = 0.1
PASS_ON_EVERY_S = 0.02
"""Text of fast models goes out 50 times a second: each event costs front and client time on the same cores."""
SMALLEST_CHUNK = 32
MAX_CHARACTERS_PER_TOKEN = 32
CHUNK_BESIDE_WRITERS_S = 0.25
"""How long a prompt's chunk may hold up the answers that are being written."""


@dataclass(frozen=True)
class Request:
    """One answer that is asked for. `max_tokens` None: until the model ends or the context is full.

    written: the part of the answer that an earlier worker wrote; it is read again and continued.
    """

    id: int
    prompt: str
    sampling: Sampling
    max_tokens: int | None = None
    written: str = ""
    stops: tuple[str, ...] = ()
    received_s: float = field(default_factory=time.perf_counter)


@dataclass
class Generation:
    """An answer under way on a sequence."""

    request: Request
    sequence: Sequence
    tokens: list[int]
    n_prompt: int
    n_cached: int
    sampler: Sampler
    text: TextStream
    output: int = -1
    started_s: float = field(default_factory=time.perf_counter)
    first_token_s: float = 0.0
    progress_s: float = 0.0
    unsent: str = ""
    sent_s: float = 0.0
    cut: int = 0

    @property
    def n_written(self) -> int:
        """How many tokens of the answer there are."""
        return len(self.tokens) - self.n_prompt

    @property
    def pending(self) -> int:
        """How many tokens memory does not hold yet."""
        return len(self.tokens) - len(self.sequence.tokens)

    @property
    def reading(self) -> bool:
        """Whether the prompt is still being read."""
        return self.first_token_s == 0.0


class Scheduler:
    """Runs requests over the sequences of one session; all calls on one thread."""

    def __init__(self, session: Session, emit: Emit) -> None:
        self._session = session
        self._emit = emit
        self._batch = session.batch()
        self._idle = [Sequence(i) for i in range(session.parallel)]
        self._waiting: deque[Request] = deque()
        self._active: list[Generation] = []
        self._clock = 0
        self._prefill_tokens_per_s = 0.0

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._active or self._waiting)

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._waiting.append(request)

    def cancel(self, request_id: int) -> None:
        """Stop a request wherever it is; it ends with finish_reason "cancelled"."""
        for generation in self._active:
            if generation.request.id == request_id:
                self._end(generation, "cancelled")
                return
        for request in self._waiting:
            if request.id == request_id:
                self._waiting.remove(request)
                self._emit({"event": "end", "id": request_id, "finish_reason": "cancelled"})
                return

    def reads(self, request_id: int) -> bool:
        """Return whether the running decode works on this request's prompt; may be asked from another thread."""
        return any(active.request.id == request_id and active.reading for active in self._active)

    def step(self) -> None:
        """Do one round: admit, decode, choose a token for each that is due. Raises NotEnoughMemory when it ran out."""
        while self._waiting and self._idle:
            self._admit(self._waiting.popleft())
        if not self._active:
            return
        self._fill()
        started_s = time.perf_counter()
        result = self._session.decode(self._batch)
        if result == DECODED:
            self._note_speed(time.perf_counter() - started_s)
            self._advance()
        elif result == NO_ROOM:
            self._make_room()
        elif result == ABORTED:
            self._verify_all()
        else:
            self._fail_all(result)

    def close(self) -> None:
        """Free the batch."""
        self._batch.close()

    def _admit(self, request: Request) -> None:
        try:
            self._start(request)
        except AppError as error:
            self._emit({"event": "error", "id": request.id, **error.as_event()})

    def _start(self, request: Request) -> None:
        vocabulary = self._session.vocabulary
        _require_sane_length(request.prompt, self._session.n_ctx)
        tokens = vocabulary.prompt_tokens(request.prompt) or vocabulary.tokenize("\n", add_special=True)
        n_prompt = len(tokens)
        if request.written:  # as one text: some tokenizers put a space before each text they are given
            tokens = vocabulary.prompt_tokens(request.prompt + request.written)
        _require_fit(len(tokens), self._session.n_ctx)
        sequence, n_common = choose(self._idle, tokens)
        n_cached = keep_prefix(self._session, sequence, reusable(n_common, len(sequence.tokens), len(tokens)))
        self._idle.remove(sequence)
        sampler = Sampler(self._session.llama, request.sampling, vocabulary.size, tokens)
        generation = Generation(request, sequence, tokens, n_prompt, n_cached, sampler, TextStream(request.stops))
        self._active.append(generation)
        self._emit({"event": "start", "id": request.id, "prompt_tokens": n_prompt, "cached_tokens": n_cached})
        if request.max_tokens is not None and request.written and generation.n_written >= request.max_tokens:
            self._end(generation, "length")

    def _fill(self) -> None:
        """Put each writer's token into the batch, then as much of the prompts as there is room for."""
        self._batch.clear()
        readers = []
        for generation in self._active:
            generation.output, generation.cut = -1, 0
            if generation.pending == 1:
                held = len(generation.sequence.tokens)
                generation.output = self._batch.add(generation.sequence.id, held, generation.tokens[held])
                generation.cut = 1
            else:
                readers.append(generation)
        room = self._chunk_room(has_writers=self._batch.length > 0)
        for generation in readers:
            cut = min(generation.pending, room)
            if cut == 0:
                return
            held = len(generation.sequence.tokens)
            last = cut == generation.pending
            chunk = generation.tokens[held : held + cut]
            place = self._batch.add_chunk(generation.sequence.id, held, chunk, wants_logits=last)
            generation.output, generation.cut = (place if last else -1), cut
            room -= cut

    def _chunk_room(self, has_writers: bool) -> int:
        room = self._batch.room - self._batch.length
        if has_writers and self._prefill_tokens_per_s:
            room = min(room, max(SMALLEST_CHUNK, int(self._prefill_tokens_per_s * CHUNK_BESIDE_WRITERS_S)))
        return room

    def _note_speed(self, elapsed_s: float) -> None:
        if self._batch.length >= SMALLEST_CHUNK:
            self._prefill_tokens_per_s = self._batch.length / max(elapsed_s, 1e-6)

    def _advance(self) -> None:
        self._clock += 1
        for generation in list(self._active):
            if generation.cut == 0:
                continue
            sequence = generation.sequence
            held = len(sequence.tokens)
            sequence.tokens.extend(generation.tokens[held : held + generation.cut])
            sequence.used_at = self._clock
            if generation.output >= 0:
                self._write(generation)
            else:
                self._report_reading(generation)

    def _report_reading(self, generation: Generation) -> None:
        now_s = time.perf_counter()
        if now_s - generation.progress_s >= PROGRESS_EVERY_S:
            generation.progress_s = now_s
            done = len(generation.sequence.tokens)
            self._emit(
                {
                    "event": "prompt",
                    "id": generation.request.id,
                    "done_tokens": done,
                    "total_tokens": len(generation.tokens),
                }
            )

    def _write(self, generation: Generation) -> None:
        """Choose the next token and pass its text on."""
        token = generation.sampler.sample(self._session.context, generation.output)
        if generation.reading:
            generation.first_token_s = time.perf_counter()
        if self._session.vocabulary.ends(token):
            self._end(generation, "stop")
            return
        generation.tokens.append(token)
        generation.unsent += generation.text.feed(self._session.vocabulary.piece(token))
        if time.perf_counter() - generation.sent_s >= PASS_ON_EVERY_S:
            self._pass_on(generation)
        limit = generation.request.max_tokens
        if generation.text.stopped:
            self._end(generation, "stop")
        elif (limit is not None and generation.n_written >= limit) or len(generation.tokens) >= self._session.n_ctx:
            self._end(generation, "length")

    def _pass_on(self, generation: Generation) -> None:
        if generation.unsent:
            self._emit({"event": "text", "id": generation.request.id, "text": generation.unsent})
            generation.unsent, generation.sent_s = "", time.perf_counter()

    def _end(self, generation: Generation, reason: str) -> None:
        generation.unsent += generation.text.finish() if reason != "cancelled" else ""
        self._pass_on(generation)
        if generation.text.stopped:
            reason = "stop"
        self._release(generation)
        self._emit({"event": "end", "id": generation.request.id, "finish_reason": reason, **_figures(generation)})

    def _release(self, generation: Generation) -> None:
        generation.sampler.close()
        self._active.remove(generation)
        self._idle.append(generation.sequence)

    def _make_room(self) -> None:
        """Drop the idle prefix that was used least recently; without one, end the answer that came last."""
        kept = [sequence for sequence in self._idle if sequence.tokens]
        if kept:
            forget(self._session, min(kept, key=lambda sequence: sequence.used_at))
            return
        last = self._active[-1]
        if not last.reading:
            self._end(last, "length")
            return
        self._fail(
            last,
            NotEnoughMemory(
                f"The context of {self._session.n_ctx:,} tokens is shared by {len(self._active)} answers and is full: "
                f"there is no room for this prompt of {last.n_prompt:,} tokens.",
                hint="Try again when the other answers are done, or load the model with a larger --context.",
            ),
        )
        forget(self._session, last.sequence)

    def _verify_all(self) -> None:
        """After an abort keep of each sequence only what is proven; the rest is decoded again."""
        for generation in self._active:
            keep_prefix(self._session, generation.sequence, len(generation.sequence.tokens))

    def _fail_all(self, result: int) -> None:
        """Fail all answers that the batch held; raises NotEnoughMemory when memory ran out: a new worker must go on."""
        error = self._session.failure(result, f"Working on a batch of {self._batch.length} tokens")
        if isinstance(error, NotEnoughMemory):
            raise error
        for generation in list(self._active):
            if generation.cut:
                self._fail(generation, error)
                forget(self._session, generation.sequence)

    def _fail(self, generation: Generation, error: AppError) -> None:
        self._pass_on(generation)
        self._release(generation)
        self._emit({"event": "error", "id": generation.request.id, **error.as_event(), **_figures(generation)})


def reusable(n_common: int, n_held: int, n_prompt: int) -> int:
    """Return how many of the tokens held a prompt should keep that has the first `n_common` in common with them.

    Who goes on keeps all of them. Who goes back (regenerate, edit) reads everything again: only then are the logits a
    fresh run's. What was written token by token, or lies in another order in a sliding window, adds up to others (KL
    divergence 0.007 measured on Gemma 3), however well it is proven to be there.
    """
    return n_common if n_common == n_held < n_prompt else 0


def _require_sane_length(prompt: str, n_ctx: int) -> None:
    """Refuse a text that cannot fit before it is tokenized: that would hold up every other answer for seconds."""
    if len(prompt) > MAX_CHARACTERS_PER_TOKEN * n_ctx:
        raise BadRequest(
            f"The prompt has {len(prompt):,} characters; the context holds {n_ctx:,} tokens.",
            hint="Shorten the conversation, or load the model with a larger --context.",
        )


def _require_fit(n_prompt: int, n_ctx: int) -> None:
    if n_prompt >= n_ctx:
        raise BadRequest(
            f"The prompt has {n_prompt:,} tokens; the context holds {n_ctx:,} and the answer needs room too.",
            hint="Shorten the conversation, or load the model with a larger --context.",
        )


def _figures(generation: Generation) -> dict[str, Any]:
    """Return usage and timings of an answer; speeds are 0 where nothing was measured."""
    now_s = time.perf_counter()
    n_read = generation.n_prompt - generation.n_cached
    first_s = generation.first_token_s or now_s
    read_s, write_s = first_s - generation.started_s, now_s - first_s
    n_written = generation.n_written
    return {
        "usage": {
            "prompt_tokens": generation.n_prompt,
            "completion_tokens": n_written,
            "total_tokens": generation.n_prompt + n_written,
            "prompt_tokens_details": {"cached_tokens": generation.n_cached},
        },
        "timings": {
            "queue_s": round(generation.started_s - generation.request.received_s, 6),
            "prefill_s": round(read_s, 6),
            "first_token_s": round(first_s - generation.request.received_s, 6),
            "decode_s": round(write_s, 6),
            "prefill_tokens": n_read,
            "prefill_tokens_per_s": round(n_read / read_s, 2) if generation.first_token_s and read_s > 0 else 0.0,
            "decode_tokens_per_s": round((n_written - 1) / write_s, 2) if n_written > 1 and write_s > 0 else 0.0,
        },
    }
