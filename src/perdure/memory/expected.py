"""Which version of a block a change is meant for: by the header `If-Match`, or by a field of the body."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Response

from perdure.kit.errors import InvalidArgument
from perdure.memory.schemas import Block

TAG = re.compile(r'(?:W/)?"?(\d{1,9})"?')


@dataclass(frozen=True, slots=True)
class ExpectedVersion:
    """What a request's header expects; None expects nothing."""

    version: int | None = None

    def of(self, named: int | None) -> int | None:
        """The version expected; one that the body names goes first."""
        return self.version if named is None else named


async def _of_header(if_match: Annotated[str | None, Header()] = None) -> ExpectedVersion:
    if if_match is None or if_match.strip() == "*":
        return ExpectedVersion()
    tag = TAG.fullmatch(if_match.strip())
    if tag is None:
        raise InvalidArgument(
            f'If-Match: {if_match!r} is no version; send one as `ETag` told it, such as "3".'
        )
    return ExpectedVersion(int(tag[1]))


Expected = Annotated[ExpectedVersion, Depends(_of_header)]


def tagged(response: Response, block: Block) -> Block:
    """A block whose version is told by the answer's `ETag`, too."""
    response.headers["etag"] = f'"{block.version}"'
    return block
