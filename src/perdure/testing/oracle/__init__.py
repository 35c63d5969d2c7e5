"""What a provider would refuse: the vendors' own rules of a well-formed request, as an oracle for tests.

`refusal` judges a history in no vendor's format, `refusal_of` a request as each vendor would read it,
and the modules beside it the bodies themselves: `chat`, `responses`, `anthropic`, `gemini`. All tell in
a sentence what is wrong, and None where nothing is.
"""

from perdure.testing.oracle import anthropic, chat, gemini, responses
from perdure.testing.oracle.history import refusal
from perdure.testing.oracle.request import refusal_of

__all__ = ["anthropic", "chat", "gemini", "refusal", "refusal_of", "responses"]
