"""What a caller sends, as messages to store: pure."""

import base64

from perdure.chat.schemas import (
    ApprovalCreate,
    MessageCreate,
    SendOptions,
    ToolReturnCreate,
    ToolReturnWord,
)
from perdure.content.parts import Approval, Image, Part, Text, ToolReturn
from perdure.kit.errors import InvalidArgument
from perdure.kit.text import storable
from perdure.loop.approvals import Reply
from perdure.messages.schemas import (
    ApprovalReply,
    Base64Image,
    ContentPart,
    StoredImage,
    TextContent,
    UrlImage,
)
from perdure.messages.store import Draft

DATA_URL = "data:"


def drafts_of(options: SendOptions) -> list[Draft]:
    """The messages of a request, in order; `InvalidArgument` for empty or unreadable content."""
    sent = options.messages
    if sent is None:
        sent = [MessageCreate(role="user", content=options.input or "")]
    if not sent:
        raise InvalidArgument("messages: send at least one message.")
    return [_draft(message, i) for i, message in enumerate(sent) if isinstance(message, MessageCreate)]


def reply_of(options: SendOptions) -> Reply | None:
    """The reply to calls that wait, which a request may begin with."""
    sent = options.messages or []
    for i, item in enumerate(sent[1:], 1):
        if not isinstance(item, MessageCreate):
            raise InvalidArgument(f"messages[{i}]: a reply to pending calls must be the first item.")
    match sent[0] if sent else None:
        case ApprovalCreate(approvals=[*words]) as item:
            return Reply(tuple(_word(word, i) for i, word in enumerate(words)), otid=item.otid)
        case ApprovalCreate() as item:
            return Reply((), Approval("", bool(item.approve), item.reason), item.otid)
        case ToolReturnCreate() as item:
            return Reply(tuple(_word(word, i) for i, word in enumerate(item.tool_returns)), otid=item.otid)
        case _:
            return None


def _word(word: ApprovalReply | ToolReturnWord, index: int) -> Approval | ToolReturn:
    if isinstance(word, ApprovalReply):
        reason = storable(word.reason) if word.reason else None
        return Approval(word.tool_call_id, word.approve, reason)
    field = f"messages[0].tool_returns[{index}].tool_return"
    text = word.tool_return
    if not isinstance(text, str):
        if not all(isinstance(part, TextContent) for part in text):
            raise InvalidArgument(f"{field}: only text can be returned by a tool.")
        text = "".join(part.text for part in text if isinstance(part, TextContent))
    return ToolReturn(
        word.tool_call_id,
        "",
        storable(text),
        word.status,
        tuple(storable(line) for line in word.stdout or ()),
        tuple(storable(line) for line in word.stderr or ()),
    )


def _draft(message: MessageCreate, index: int) -> Draft:
    return Draft(
        role=message.role,
        parts=parts_of(message.content, f"messages[{index}].content"),
        name=message.name,
        otid=storable(message.otid),
        sender_id=message.sender_id,
        group_id=message.group_id,
    )


def parts_of(content: str | list[ContentPart], field: str) -> tuple[Part, ...]:
    """Content of the wire as parts."""
    if isinstance(content, str):
        parts: tuple[Part, ...] = (Text(storable(content)),)
    else:
        parts = tuple(_part(part, f"{field}[{i}]") for i, part in enumerate(content))
    if not any(isinstance(part, Image) or (isinstance(part, Text) and part.text.strip()) for part in parts):
        raise InvalidArgument(f"Empty content in {field}: say something or send an image.")
    return parts


def _part(part: ContentPart, field: str) -> Part:
    if isinstance(part, TextContent):
        return Text(storable(part.text))
    match part.source:
        case Base64Image() as image:
            return Image(
                _media_type(image.media_type, field), _base64(image.data, field), detail=image.detail
            )
        case UrlImage() as image if image.url.startswith(DATA_URL):
            return _from_data_url(image.url, field)
        case UrlImage() as image:
            if not image.url.startswith(("https://", "http://")):
                raise InvalidArgument(
                    f"{field}.source.url: an image URL begins with https://, http:// or data:."
                )
            return Image(url=image.url)
        case StoredImage() as image:
            if image.data is None:
                raise InvalidArgument(f"{field}.source: no stored image {image.file_id}; send its data.")
            media_type = _media_type(image.media_type or "", field)
            return Image(media_type, _base64(image.data, field), detail=image.detail, file_id=image.file_id)


def _from_data_url(url: str, field: str) -> Image:
    head, _, data = url.removeprefix(DATA_URL).partition(",")
    media_type, _, encoding = head.partition(";")
    if encoding.rpartition(";")[2] != "base64":
        raise InvalidArgument(f"{field}.source.url: a data URL must be base64.")
    return Image(_media_type(media_type, field), _base64(data, field))


def _media_type(media_type: str, field: str) -> str:
    if not media_type.startswith("image/"):
        raise InvalidArgument(
            f"{field}.source.media_type: `{media_type}` is no image type such as image/png."
        )
    return media_type


def _base64(data: str, field: str) -> str:
    try:
        decoded = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise InvalidArgument(f"{field}.source.data is not base64: {error}.") from error
    if not decoded:
        raise InvalidArgument(f"{field}.source.data is empty; send the image's bytes.")
    return data
