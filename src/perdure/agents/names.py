"""Names for agents that are given none."""

import secrets

ADJECTIVES = """Able Amber Brisk Bright Calm Candid Clear Clever Copper Crisp Curious Deft Eager Early Fair
Fond Frank Gentle Glad Golden Grand Green Hardy Honest Humble Jolly Keen Kind Lively Loyal
Lucid Mellow Merry Mild Modest Neat Nimble Noble Open Patient Plain Polite Proud Quick Quiet
Ready Silver Sober Solid Steady Sunny Sure Swift Tidy True Vivid Warm Wise Witty"""
NOUNS = """Acorn Badger Beacon Birch Bridge Brook Canyon Cedar Cloud Comet Compass Coral Crane Delta
Dune Ember Falcon Fern Finch Fjord Forest Garnet Grove Harbor Heron Hill Island Jasper
Juniper Kestrel Lagoon Lantern Lark Linden Lynx Maple Marsh Meadow Mesa Orchard Otter Owl
Pebble Pine Plover Prairie Quartz Raven Reef River Robin Sequoia Sparrow Spruce Summit
Swallow Thistle Tide Willow Wren"""


def random_name() -> str:
    """An adjective and a noun, such as `QuietHarbor`."""
    return secrets.choice(ADJECTIVES.split()) + secrets.choice(NOUNS.split())
