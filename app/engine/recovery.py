"""What is done when memory ran out: pure decisions, from what a worker left behind to what the next plan must heed.

A model whose load fails for want of memory, and an engine that dies of it, are planned again with what was learned, at
most three times in five minutes; the third plan is for the processor alone. Other deaths are none of this module's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TRIES_MAX = 3
WINDOW_S = 300.0
HOST = "CPU"
SIGKILL, SIGTERM = -9, -15
SPILLED_SHARE = 0.4
FEWEST_TOKENS = 32

_REFUSED = re.compile(r"failed to allocate (\S+) buffer of size (\d+)")
# What backends and runtimes say last; the devices it is about are those of the plan that `_SPEAKERS` names.
_SPEAKERS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "lent",
        re.compile(
            r"Remote RPC server crashed|RPC handshake failed|Failed to connect to|The device RPC\w* is gone"
            r"|lends its memory has stopped answering"
        ),
    ),
    ("gpu", re.compile(r"(?:CUDA|HIP|ROCm|MUSA) error: out of memory|cudaMalloc failed|hipMalloc failed")),
    ("gpu", re.compile(r"ErrorOutOfDeviceMemory|OutOfDeviceMemoryError|kIOGPUCommandBufferCallbackErrorOutOfMemory")),
    ("host", re.compile(r"bad_alloc|MemoryError|insufficient memory|Cannot allocate memory|ErrorOutOfHostMemory")),
)

Phase = Literal["load", "run"]


@dataclass(frozen=True)
class Death:
    """How a worker ended. said: its own last error and the end of its log. missing: bytes by device, where it counted
    them before it loaded. oom_killed: whether the system ended a process for want of memory meanwhile."""

    phase: Phase
    reason: str
    returncode: int
    said: str
    missing: Mapping[str, int] = field(default_factory=dict)
    oom_killed: bool = False


@dataclass(frozen=True)
class Lesson:
    """What the next plan must heed.

    devices: ids of the devices that were short ("CPU" is the host). missing: by how many bytes, where that is known
    from their own figures (then nothing is to be remembered: other programs took it). plan: the document that failed.
    """

    phase: Phase
    reason: str
    devices: tuple[str, ...]
    missing: Mapping[str, int]
    plan: Mapping[str, Any]
    cpu_only: bool = False


@dataclass(frozen=True)
class Tries:
    """When plans were made again, in seconds of a steady clock; old ones do not count."""

    times_s: tuple[float, ...] = ()

    def next(self, now_s: float) -> "Tries | None":
        """Return the tries with one more, None when there were enough."""
        recent = tuple(time_s for time_s in self.times_s if now_s - time_s < WINDOW_S)
        return None if len(recent) >= TRIES_MAX else Tries((*recent, now_s))

    @property
    def is_last(self) -> bool:
        """Whether no other follows."""
        return len(self.times_s) >= TRIES_MAX


def lesson_of(death: Death, plan: Mapping[str, Any], is_last: bool) -> Lesson | None:
    """Return what a death teaches, None when nothing says that memory was the cause."""
    devices = tuple(death.missing) or short_devices(death, plan)
    if not devices:
        return None
    return Lesson(death.phase, death.reason, devices, death.missing, plan, cpu_only=is_last)


def short_devices(death: Death, plan: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the plan's devices that ran out of memory, as far as the worker's last words tell."""
    if death.returncode in (SIGKILL, SIGTERM):
        return (HOST,) if death.oom_killed else ()
    ids = [str(device["id"]) for device in plan["devices"]]
    lent = [id_ for id_ in ids if id_.startswith("RPC")]
    owners = {"lent": lent, "gpu": [id_ for id_ in ids if id_ not in lent], "host": [HOST]}
    # Earlier complaints may be of what llama.cpp got over (it tries some layouts twice): the last one counts.
    told = [(match.end(), _owner(match[1], ids)) for match in _REFUSED.finditer(death.said)]
    told += [(match.end(), owners[who]) for who, said in _SPEAKERS for match in said.finditer(death.said)]
    return max(((place, tuple(devices)) for place, devices in told if devices), default=(0, ()))[1]


def _owner(buffer_type: str, ids: list[str]) -> list[str]:
    """Return the device that a buffer is on; its type is named like the device: "RPC0[HOST:PORT]"."""
    name = buffer_type.partition("[")[0]
    return [name if name in ids else HOST]


def sentence(lesson: Lesson, plan: Mapping[str, Any]) -> str:
    """Return what is done now, for people."""
    where = _layers(plan) if plan["n_gpu_layers"] and plan["devices"] else "on the processor alone"
    happened = "The model did not fit" if lesson.phase == "load" else "Memory ran out while the model was answering"
    if not lesson.cpu_only and lesson.devices and not _left(lesson, plan):
        happened = "The computer that lent its memory no longer answers"
    return f"{happened}: the model is loaded again, {where}, with a context of {plan['context']:,} tokens."


def _left(lesson: Lesson, plan: Mapping[str, Any]) -> set[str]:
    """Return the devices of a lesson that the next plan still knows; only a lent one disappears."""
    return {HOST, *(str(device["id"]) for device in plan["devices"])} & set(lesson.devices)


def _layers(plan: Mapping[str, Any]) -> str:
    return f"with {plan['n_gpu_layers']} of {plan['n_layers_total']} layers on the GPU"


def has_spilled(plan: Mapping[str, Any], n_tokens: int, decode_tokens_per_s: float) -> bool:
    """Return whether an answer came so slowly that the GPU must have moved memory out, as Windows' drivers do.

    They never refuse: more than the card holds is kept in main memory and copied for every token (5 to 20 % of the
    speed where it was measured). A share of 40 % leaves room for a busy computer.
    """
    foretold = float(plan["expected"]["decode_tokens_per_s"])
    on_gpu = any(device["weights_bytes"] for device in plan["devices"])
    return on_gpu and n_tokens >= FEWEST_TOKENS and 0 < decode_tokens_per_s < SPILLED_SHARE * foretold
