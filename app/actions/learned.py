"""What earlier runs on this computer taught the planner: reserves that loads needed, speeds that were measured."""

from app.actions.context import Pronk
from app.devices.values import Devices
from app.library.facts import ModelFacts
from app.plan.values import NOTHING_LEARNED, Learned


def what_was_learned(pronk: Pronk, facts: ModelFacts, devices: Devices) -> Learned:
    """Return what is known of these devices and models like this one; nothing of simulated devices."""
    return NOTHING_LEARNED
