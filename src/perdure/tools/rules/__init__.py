"""Tool rules: what an agent may call next, must call, and what calls mean for its turn. All pure.

`kinds` are the rules on the wire, `decide` is what they mean, `text` is how prompts and refusals
tell a model of them.
"""

from perdure.tools.rules.decide import CalledTool, Offer, PrefillError, ToolRules, is_prefill_error
from perdure.tools.rules.kinds import ToolRule, parse_rules
from perdure.tools.rules.text import CONSTRAINT_ERROR, rule_text

__all__ = [
    "CONSTRAINT_ERROR",
    "CalledTool",
    "Offer",
    "PrefillError",
    "ToolRule",
    "ToolRules",
    "is_prefill_error",
    "parse_rules",
    "rule_text",
]
