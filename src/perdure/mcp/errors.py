"""How a server of others can fail us."""

from collections.abc import Mapping

from perdure.kit.errors import InvalidArgument, PerdureError


class McpError(PerdureError):
    """A server did not do its part; trying at once again helps little."""

    status = 502
    headers: Mapping[str, str] = {"x-should-retry": "false"}


class McpUnreachable(McpError):
    """It could not be connected to."""


class McpTimeout(McpError):
    """It did not answer in time."""

    status = 504


class McpRefused(McpError):
    """It answered with an error of the protocol or of HTTP."""


class McpUnauthorized(McpError):
    """It wants an authorization that we do not have."""


class StdioRefused(InvalidArgument):
    """Commands are not run here."""
