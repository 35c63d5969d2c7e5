"""What the server writes about its work: one JSON object a line, or text for people."""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import IO, Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perdure.config import LogSettings
from perdure.kit.clock import iso

STANDARD = {*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName", "color_message"}
COLOURS = {"DEBUG": 2, "WARNING": 33, "ERROR": 31, "CRITICAL": 31}
requests = logging.getLogger("perdure.requests")


def configure(settings: LogSettings, stream: IO[str] | None = None) -> None:
    """Send the records of all libraries to standard error; theirs only from `warning` on."""
    target: IO[str] = stream or sys.stderr
    terminal = target.isatty()
    as_text = settings.format == "text" or (settings.format == "auto" and terminal)
    handler = logging.StreamHandler(target)
    handler.setFormatter(TextFormatter(colours=terminal) if as_text else JsonFormatter())
    level = settings.level.upper()
    others = level if level == "ERROR" else "WARNING"
    logging.basicConfig(level=others, handlers=[handler], force=True)
    logging.getLogger("perdure").setLevel(level)
    logging.captureWarnings(True)


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """What a caller added to a record by `extra=`."""
    return {name: value for name, value in record.__dict__.items() if name not in STANDARD}


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, the caller's extras, a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extras(record),
        }
        if record.exc_info and record.exc_info[0]:
            line["error"] = f"{record.exc_info[0].__name__}: {record.exc_info[1]}"
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class TextFormatter(logging.Formatter):
    """`15:04:05 message  name=value`, the level shown where it matters."""

    def __init__(self, *, colours: bool):
        super().__init__()
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelname == "INFO" else f"{record.levelname.lower()}: "
        named = "".join(f"  {name}={value}" for name, value in extras(record).items())
        text = f"{level}{record.getMessage()}{named}"
        if self._colours and (colour := COLOURS.get(record.levelname)):
            text = f"\x1b[{colour}m{text}\x1b[0m"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{clock} {text}"


class RequestLog:
    """Middleware that writes a line for every request when its answer is complete."""

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.perf_counter):
        self.app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = self._clock(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            fields = {"status": status, "ms": round((self._clock() - started) * 1000, 1)}
            requests.info("%s %s", scope["method"], scope["path"], extra=fields)
