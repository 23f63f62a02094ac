"""Choosing the next token: llama.cpp's own samplers in llama.cpp's order."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen; a temperature of 0 takes the likeliest. `seed` None draws one."""

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    penalty_last_n: int = 64
    seed: int | None = None

    @property
    def penalizes(self) -> bool:
        """Whether tokens that were used before are made less likely."""
        return self.repeat_penalty != 1.0 or self.frequency_penalty != 0.0 or self.presence_penalty != 0.0


class Sampler:
    """One answer's chain of samplers; close it when the answer ends.

    The order is that of llama.cpp's common/sampling.cpp: penalties, top-k, top-p, min-p, temperature, draw.
    """

    def __init__(self, llama: Any, sampling: Sampling, n_vocab: int, prompt: Sequence[int]) -> None:
        self._llama = llama
        self.seed = secrets.randbits(32) if sampling.seed is None else sampling.seed & 0xFFFFFFFF
        self._chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        for link in _links(llama, sampling, n_vocab, self.seed):
            llama.llama_sampler_chain_add(self._chain, link)
        if sampling.penalizes:
            for token in prompt[-sampling.penalty_last_n :]:
                llama.llama_sampler_accept(self._chain, token)

    def sample(self, context: Any, output: int) -> int:
        """Return the token chosen from the logits of batch position `output`, and take note of it."""
        token: int = self._llama.llama_sampler_sample(self._chain, context, output)
        return token

    def close(self) -> None:
        """Free the chain."""
        chain, self._chain = self._chain, None
        if chain:
            self._llama.llama_sampler_free(chain)


def _links(llama: Any, sampling: Sampling, n_vocab: int, seed: int) -> list[Any]:
    links = []
    if sampling.penalizes:
        links.append(
            llama.llama_sampler_init_penalties(
                n_vocab,
                sampling.penalty_last_n,
                sampling.repeat_penalty,
                sampling.frequency_penalty,
                sampling.presence_penalty,
            )
        )
    if sampling.temperature <= 0:
        return [*links, llama.llama_sampler_init_greedy()]
    if sampling.top_k > 0:
        links.append(llama.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1:
        links.append(llama.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        links.append(llama.llama_sampler_init_min_p(sampling.min_p, 1))
    return [*links, llama.llama_sampler_init_temp(sampling.temperature), llama.llama_sampler_init_dist(seed)]
