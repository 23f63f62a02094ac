"""What earlier runs on this computer taught the planner: reserves that loads needed, speeds that were measured."""

from collections.abc import Callable
from dataclasses import replace

from app.actions.context import Pronk
from app.actions.rates import measure_missing, rates_for
from app.actions.reserves import reserves_for
from app.devices.values import Devices
from app.library.facts import ModelFacts
from app.plan.values import Learned


def what_was_learned(
    pronk: Pronk,
    facts: ModelFacts,
    devices: Devices,
    *,
    measuring: Callable[[], None] | None = None,
    rpc: tuple[str, ...] = (),
) -> Learned:
    """Return what is known of these devices and models like this one; no reserves of simulated devices.

    measuring: where it is given, speeds that a plan of this model needs and nobody knows are measured first, once; it
    is called before that takes its seconds. rpc: the computers that `devices` was found with.
    """
    if measuring is not None:
        measure_missing(pronk, facts, devices, rpc, on_start=measuring)
    return replace(rates_for(pronk, devices), reserves=reserves_for(pronk, facts, devices))
