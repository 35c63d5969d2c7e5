"""What the well-known families of models read: data, for providers that do not tell."""

import re
from functools import lru_cache

TEXT = ("text",)
IMAGES = ("text", "image")
EVERYTHING = ("text", "image", "audio", "video")

# By the vendors' own names. The first that fits decides; of other models nothing is known.
FAMILIES = (
    (r"gpt-3\.5|gpt-4(-32k|-\d{4}|$)|o1-(mini|preview)|o3-mini|claude-(2|instant)", TEXT),
    (r"(chat)?gpt-(4o|4\.1|4-turbo|5)(?!.*(audio|search|realtime))|o[134](-|$)|claude-", IMAGES),
    (r"gemini-", EVERYTHING),
)
AFTER = r"(?:.*[/.:])?"  # a publisher, a region, `ft:`

# Provider types whose models have those names; elsewhere anything may be called so.
NAMED = {"anthropic", "azure", "bedrock", "google_ai", "google_vertex", "openai", "openrouter"}


@lru_cache(maxsize=4096)
def of_family(provider_type: str, model: str) -> tuple[str, ...] | None:
    """What a model reads by its name; null where that tells nothing."""
    if provider_type not in NAMED:
        return None
    read = (kinds for names, kinds in FAMILIES if re.match(f"{AFTER}({names})", model.lower()))
    return next(read, None)
