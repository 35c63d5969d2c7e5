"""Work that is done every so often in the background."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


async def repeat(seconds: float, work: Callable[[], Awaitable[None]], failed: str) -> None:
    """Do it after each pause, until cancelled; `failed` is what the log says when it could not be done."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:
            log.warning("%s; trying again", failed, exc_info=True)
