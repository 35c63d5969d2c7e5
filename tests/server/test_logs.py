"""Log lines: JSON for machines, text for people, errors with their traceback."""

import io
import json
import logging
import warnings

import pytest

from perdure.config import LogSettings
from perdure.server.logs import RequestLog, configure


@pytest.fixture
def written():
    """Lines written with some settings; logging is as before afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("perdure")
    before = root.handlers[:], root.level, ours.level
    stream = io.StringIO()

    def with_settings(**settings):
        configure(LogSettings(**settings), stream)
        return stream

    yield with_settings
    logging.captureWarnings(False)
    root.handlers[:], root.level, ours.level = before[0], before[1], before[2]
    ours.manager._clear_cache()


def test_a_line_is_one_object_with_what_the_caller_added(written):
    stream = written(format="json")
    logging.getLogger("perdure.x").info("run %s", "ended", extra={"run_id": "run-1", "seconds": 1.5})
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "logger": "perdure.x", "message": "run ended", "run_id": "run-1", "seconds": 1.5
    }  # fmt: skip


def test_an_error_carries_its_traceback_on_the_same_line(written):
    stream = written(format="json")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("perdure.x").exception("it broke")
    [text] = stream.getvalue().splitlines()
    line = json.loads(text)
    assert line["error"] == "ValueError: two\nlines"
    assert "test_logs.py" in line["traceback"]


def test_text_is_for_people_and_not_coloured_in_files(written):
    stream = written(format="text")
    logging.getLogger("perdure.x").warning("careful", extra={"port": 1})
    text = stream.getvalue()
    assert text[8:] == " warning: careful  port=1\n"


def test_other_libraries_are_heard_from_warnings_on(written):
    stream = written(level="debug", format="json")
    logging.getLogger("uvicorn.error").info("hidden")
    logging.getLogger("perdure.x").debug("shown")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    messages = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert messages[0] == "shown"
    assert "DeprecationWarning: old" in messages[1]


async def test_requests_leave_a_line_with_their_status(written):
    stream = written(format="json")

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ignore(message=None):
        pass

    times = iter([0.0, 0.25])
    logged = RequestLog(app, clock=lambda: next(times))
    await logged({"type": "http", "method": "GET", "path": "/v1/agents"}, ignore, ignore)
    line = json.loads(stream.getvalue())
    assert (line["message"], line["status"], line["ms"]) == ("GET /v1/agents", 404, 250.0)
    await logged({"type": "lifespan"}, ignore, ignore)


async def test_a_request_that_broke_is_logged_as_500(written):
    stream = written(format="json")

    async def app(scope, receive, send):
        raise ValueError

    logged = RequestLog(app)
    with pytest.raises(ValueError):  # noqa: PT011
        await logged({"type": "http", "method": "GET", "path": "/"}, None, None)
    assert json.loads(stream.getvalue())["status"] == 500
