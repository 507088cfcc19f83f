"""Ids of runs: a time and two words (spec: run.md, ID)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from gitmlog.runs.record import is_run_id

_ADJECTIVES = """
able amber ample apt arctic azure balmy bold brave breezy bright brisk calm candid careful cheerful civil classic clean
clear clever cobalt cool copper coral cosmic cozy crimson crisp curious dapper daring deep deft eager early earnest easy
elegant epic exact fair famous fancy fast fearless fine firm fleet fluent fond frank fresh frosty gentle gifted glad
golden good graceful grand green happy hardy hazel honest humble ideal indigo ivory jade jolly jovial keen kind large
lively loyal lucid lucky lunar magic major maple mellow merry mighty mild misty modest neat nimble noble olive open
orange patient plain polite proud pure quick quiet rapid rare ready regal rich robust rosy royal ruby rustic sage
scarlet serene sharp shiny silent silver simple sleek smart smooth snowy solar solid sonic sound spry stable steady
stellar sterling stoic strong sunny super swift tidy topaz tranquil true trusty upbeat urban valiant velvet vivid warm
wise witty worthy young zesty
"""
_NOUNS = """
acorn alder anchor antler apple aspen aurora badger bamboo basin beacon beaver birch bison breeze brook canyon cedar
cheetah cherry cliff clover comet condor coral cove coyote crane creek cricket crow cypress dawn deer delta desert dingo
dolphin dove dune eagle egret elk elm ember falcon fern field finch fjord flame forest fox galaxy gazelle gecko geyser
glacier glade grove gull harbor hare hawk hazel heath heron hill holly ibex ibis iris island ivy jackal jaguar jasper
jay juniper kestrel kiwi koala lagoon lake lark laurel lemur leopard lily lion llama lotus lynx magpie maple marlin
marsh marten meadow mesa meteor moon moose moss newt oak oasis ocean ocelot orchid oriole osprey otter owl panda panther
parrot pebble pelican petrel pine planet plover poplar prairie puffin puma quail rabbit rapids raven reef ridge river
robin salmon seal sequoia shore sparrow spring spruce squid star stone stork storm stream summit swallow swan tapir tern
thistle thrush tiger toucan trout tulip tundra turtle valley vireo walrus wave weasel whale willow wolf wombat wren yak
zebra zephyr
"""


def new_id(started: datetime) -> str:
    """An id for a run that starts then. The words come from the system's randomness: a program's seed does not repeat them."""
    chance = random.SystemRandom()
    adjective, noun = (chance.choice(text.split()) for text in (_ADJECTIVES, _NOUNS))
    return f"{started.astimezone(UTC):%Y%m%d-%H%M%S}-{adjective}-{noun}"


def words(run_id: str) -> str:
    """The words of an id: "swift-otter"."""
    return run_id.split("-", 2)[2]


def start_time(now: datetime, newest: datetime | None) -> tuple[datetime, bool]:
    """When a run starts, never before the newest one of this clone; and whether the clock went back by more than a second."""
    if newest is None or now > newest:
        return now, False
    if newest - now < timedelta(seconds=1):
        return newest + timedelta(microseconds=1), False
    return newest + timedelta(seconds=1), True


def check_id(run_id: str) -> None:
    """Raise ValueError for what is no id: before it becomes a part of a path."""
    if not is_run_id(run_id):
        raise ValueError(f"{run_id!r} is no id of a run")
