"""The offline demo: deterministic rules in a model's place, so that a first try needs no key and no network.

Not a language model, and it says so. It reads simple statements and questions, uses the memory and
search tools it is offered as a model would, and answers from what they return.
"""

from perdure.providers.demo.model import DemoModel

__all__ = ["DemoModel"]
