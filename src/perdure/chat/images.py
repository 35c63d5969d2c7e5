"""Images that a request names by URL: fetched when it is sent, stored with the message.

So the model sees what the caller saw, whatever becomes of the address, and vendors that fetch nothing
themselves see images too.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import replace

from perdure.content.parts import Image, Part
from perdure.kit.errors import InvalidArgument
from perdure.kit.outbound import Fetched, Fetcher, FetchFailed
from perdure.messages.store import Draft

SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


async def fetch_images(drafts: Sequence[Draft], fetcher: Fetcher) -> list[Draft]:
    """The drafts with every image's data in it; `InvalidArgument` names the field that cannot be had."""
    if not any(is_missing(part) for draft in drafts for part in draft.parts):
        return list(drafts)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                [
                    group.create_task(_filled(part, f"messages[{i}].content[{j}]", fetcher))
                    for j, part in parts
                ]
                for i, parts in enumerate(enumerate(draft.parts) for draft in drafts)
            ]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [
        replace(draft, parts=tuple(task.result() for task in filled))
        for draft, filled in zip(drafts, tasks, strict=True)
    ]


def is_missing(part: Part) -> bool:
    """Whether it is an image that is to be fetched."""
    return isinstance(part, Image) and part.data is None and part.url is not None


async def _filled(part: Part, field: str, fetcher: Fetcher) -> Part:
    if not isinstance(part, Image) or part.data is not None or part.url is None:
        return part
    try:
        answer = await fetcher.get(part.url, {"accept": "image/*"})
    except FetchFailed as error:
        raise InvalidArgument(f"{field}.source.url: {error.detail}") from error
    if not answer.ok:
        raise InvalidArgument(f"{field}.source.url: the address answered HTTP {answer.status}.")
    media_type = media_type_of(answer)
    if media_type is None:
        kind = answer.content_type or "unknown"
        raise InvalidArgument(f"{field}.source.url: there is no image at this address (type {kind}).")
    return Image(media_type, base64.b64encode(answer.content).decode(), detail=part.detail)


def media_type_of(answer: Fetched) -> str | None:
    """What kind of image it is, by its first bytes, else by what the server says; null if it is none."""
    for signature, media_type in SIGNATURES:
        if answer.content.startswith(signature):
            return media_type
    if answer.content[:4] == b"RIFF" and answer.content[8:12] == b"WEBP":
        return "image/webp"
    return answer.content_type if answer.content_type.startswith("image/") and answer.content else None
