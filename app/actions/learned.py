"""What earlier runs on this computer taught the planner: reserves that loads needed, speeds that were measured."""

from app.actions.context import Pronk
from app.actions.reserves import reserves_for
from app.devices.values import Devices
from app.library.facts import ModelFacts
from app.plan.values import Learned


def what_was_learned(pronk: Pronk, facts: ModelFacts, devices: Devices) -> Learned:
    """Return what is known of these devices and models like this one; nothing of simulated devices."""
    return Learned(reserves_for(pronk, facts, devices))
