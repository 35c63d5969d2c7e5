"""About how many tokens something takes: no vendor is asked, no tokenizer loaded. Pure, and fast.

Four letters of ASCII count as a token; other scripts take more by the bytes they take. What a provider
then counts differs by some factor, which `loop/measure` learns from its answers.
"""

from perdure.content.parts import Image, Message, Part, Reasoning, Text, ToolCall, ToolReturn

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_FURTHER_BYTE = 3 / 8  # a Chinese character is about a token, a Cyrillic letter somewhat less
MESSAGE_TOKENS = 4  # what parts a message from the next
CALL_TOKENS = 10  # a call's or a return's id and frame
IMAGE_TOKENS = 1000
SMALL_IMAGE_TOKENS = 85


def text_tokens(text: str) -> int:
    """About how many tokens a text takes; rounded up."""
    size = -(-len(text) // CHARACTERS_PER_TOKEN)
    if text.isascii():
        return size
    further = len(text.encode(errors="replace")) - len(text)
    return size + int(further * TOKENS_PER_FURTHER_BYTE)


def part_tokens(part: Part) -> int:
    """About how many tokens a part of a message takes."""
    match part:
        case Text(text):
            return text_tokens(text)
        case ToolReturn():
            return CALL_TOKENS + text_tokens(part.text)
        case ToolCall():
            return CALL_TOKENS + text_tokens(part.name) + text_tokens(part.arguments)
        case Reasoning():
            return text_tokens(part.text) or text_tokens(part.signature or "")
        case Image():
            return SMALL_IMAGE_TOKENS if part.detail == "low" else IMAGE_TOKENS
        case _:
            return 0


def message_tokens(message: Message) -> int:
    """About how many tokens a message takes as a model reads it."""
    return MESSAGE_TOKENS + sum(map(part_tokens, message.parts))


def cut_to_tokens(text: str, tokens: int) -> str:
    """The beginning of a text that takes at most so many tokens; a cut is marked by an ellipsis."""
    kept = text
    while kept and text_tokens(f"{kept}…") > tokens < text_tokens(text):
        kept = kept[: min(len(kept) - 1, len(kept) * max(tokens - 1, 0) // text_tokens(kept))]
    return kept if len(kept) == len(text) else f"{kept}…" if kept else ""
