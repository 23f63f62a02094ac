"""What models with Mamba 2 layers have in common: names, shapes and transforms of such a layer, and its metadata.

Source: HF modeling_mamba2.py; llama.cpp conversion/mamba.py, src/models/mamba-base.cpp.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from converters.errors import BadCheckpoint
from converters.layout import Layout
from converters.transforms import IDENTITY, Transform, negated_exp, squeeze
from converters.values import Value, u32

_NAMES = {"in_proj.weight": "ssm_in.weight", "conv1d.weight": "ssm_conv1d.weight", "conv1d.bias": "ssm_conv1d.bias",
          "dt_bias": "ssm_dt.bias", "A_log": "ssm_a", "D": "ssm_d", "norm.weight": "ssm_norm.weight",
          "out_proj.weight": "ssm_out.weight"}  # fmt: skip


def mixer_names(prefix: str) -> dict[str, str]:
    """Give table rows of a Mamba 2 layer; prefix is what HF calls it, with {i}."""
    return {f"{prefix}.{theirs}": f"blk.{{i}}.{ours}" for theirs, ours in _NAMES.items()}


@dataclass(frozen=True)
class Mamba2Sizes:
    """Sizes of a state space layer: n_head heads of d_inner / n_head values, in n_group groups with a state each."""

    n_embd: int
    d_inner: int
    n_head: int
    n_group: int
    d_state: int
    d_conv: int

    def check(self) -> None:
        """Raise BadCheckpoint when heads or groups do not divide the width."""
        parts = (self.n_head, self.n_group)
        if not all(parts) or any(self.d_inner % count for count in parts):
            raise BadCheckpoint(
                f"config.json: {self.n_head} heads and {self.n_group} groups do not divide the {self.d_inner} values "
                "of a Mamba 2 layer."
            )

    def metadata(self, architecture: str) -> Mapping[str, Value]:
        """Give the ssm.* keys; what they call the rank of the time step is the number of heads."""
        sizes = {"conv_kernel": self.d_conv, "state_size": self.d_state, "group_count": self.n_group,
                 "inner_size": self.d_inner, "time_step_rank": self.n_head}  # fmt: skip
        return {f"{architecture}.ssm.{key}": u32(length) for key, length in sizes.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every tensor of a layer."""
        d_states = 2 * self.n_group * self.d_state
        return {
            "blk.{i}.ssm_in.weight": (2 * self.d_inner + d_states + self.n_head, self.n_embd),
            "blk.{i}.ssm_conv1d.weight": (self.d_inner + d_states, self.d_conv),
            "blk.{i}.ssm_conv1d.bias": (self.d_inner + d_states,),
            "blk.{i}.ssm_dt.bias": (self.n_head,),
            "blk.{i}.ssm_a": (self.n_head, 1),
            "blk.{i}.ssm_d": (self.n_head, 1),
            "blk.{i}.ssm_norm.weight": (self.n_group, self.d_inner // self.n_group),
            "blk.{i}.ssm_out.weight": (self.n_embd, self.d_inner),
        }

    def transform(self, pattern: str) -> Transform:
        """Give how a tensor comes out of the stored one, by its GGUF name with {i}."""
        transforms = {
            "blk.{i}.ssm_conv1d.weight": squeeze(1),
            "blk.{i}.ssm_a": Transform(_as_column, negated_exp),
            "blk.{i}.ssm_d": Transform(_as_column),
            "blk.{i}.ssm_norm.weight": Transform(lambda whole: whole.reshape(self.n_group, -1)),
        }
        return transforms.get(pattern, IDENTITY)


def _as_column(whole: Layout) -> Layout:
    return whole.reshape(-1, 1)
