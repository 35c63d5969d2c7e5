"""The providers that speak OpenAI's chat completions, and where each differs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

REASONS = r"(^|/)(o\d|gpt-5(?!.*chat)|gpt-[6-9]|codex|computer-use)"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one provider's chat completions differ from the common form.

    `effort` matches the models that take `reasoning_effort`. `thinking_back` says whether reasoning
    is sent back: in the field it came in (`same`), in that field also when there was none (`always`,
    where a tool-calling turn without it is refused), or not at all (an unknown field is refused there).
    """

    base_url: str = ""
    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    usage_asked: bool = True
    system_anywhere: bool = False
    strict: bool = False
    parallel: bool = True
    effort: str = ".*"
    samples: bool = True
    thinking_back: Literal["same", "always", ""] = "same"
    short_call_ids: bool = False

    def takes_effort(self, model: str) -> bool:
        """Whether the model accepts `reasoning_effort`."""
        return bool(self.effort) and re.search(self.effort, model) is not None


NEVER = ""
OPENAI = Dialect(
    "https://api.openai.com/v1",
    max_tokens="max_completion_tokens",
    system_anywhere=True,
    strict=True,
    effort=REASONS,
    samples=False,
    thinking_back="",
)
GENERIC = Dialect()
LOCAL = Dialect(effort="gpt-oss|qwen3|deepseek|think|reason")
DIALECTS: Mapping[str, Dialect] = {
    "openai": OPENAI,
    "azure": replace(OPENAI, base_url=""),
    "openrouter": Dialect("https://openrouter.ai/api/v1", system_anywhere=True, strict=True),
    "groq": Dialect(
        "https://api.groq.com/openai/v1",
        max_tokens="max_completion_tokens",
        system_anywhere=True,
        effort="gpt-oss|qwen",
        thinking_back="",
    ),
    "mistral": Dialect(
        "https://api.mistral.ai/v1", usage_asked=False, effort=NEVER, thinking_back="", short_call_ids=True
    ),
    "deepseek": Dialect("https://api.deepseek.com", thinking_back="always", effort="v4|flash"),
    "moonshot": Dialect("https://api.moonshot.ai/v1", thinking_back="always", effort="k[3-9]|k2\\.[5-9]"),
    "together": Dialect("https://api.together.xyz/v1", system_anywhere=True, thinking_back=""),
    "fireworks": Dialect("https://api.fireworks.ai/inference/v1", system_anywhere=True),
    "xai": Dialect(
        "https://api.x.ai/v1", system_anywhere=True, effort="mini|grok-4\\.[3-9]", thinking_back=""
    ),
    "cerebras": Dialect(
        "https://api.cerebras.ai/v1", max_tokens="max_completion_tokens", effort="gpt-oss", thinking_back=""
    ),
    "baseten": Dialect("https://inference.baseten.co/v1"),
    "zai": Dialect("https://api.z.ai/api/paas/v4", thinking_back="same", effort=NEVER),
    "zai_coding": Dialect("https://api.z.ai/api/coding/paas/v4", effort=NEVER),
    "minimax": Dialect("https://api.minimax.io/v1", effort=NEVER),
    "hugging-face": Dialect("https://router.huggingface.co/v1"),
    "ollama": replace(LOCAL, base_url="http://127.0.0.1:11434/v1"),
    "lmstudio": replace(LOCAL, base_url="http://127.0.0.1:1234/v1"),
    "lmstudio_openai": replace(LOCAL, base_url="http://127.0.0.1:1234/v1"),
    "vllm": replace(LOCAL, base_url="http://127.0.0.1:8000/v1"),
    "sglang": replace(LOCAL, base_url="http://127.0.0.1:30000/v1"),
    "llamacpp": replace(LOCAL, base_url="http://127.0.0.1:8080/v1"),
}


def dialect_of(type: str) -> Dialect:
    """The dialect of a provider type; unknown types speak the common form."""
    return DIALECTS.get(type, GENERIC)


def reasons(model: str) -> bool:
    """Whether this is an OpenAI model that reasons: it takes effort, and no temperature."""
    return re.search(REASONS, model) is not None
