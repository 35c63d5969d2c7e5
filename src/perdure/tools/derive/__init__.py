"""The JSON schema of a tool from its source, by reading it. Nothing of it is ever executed."""

from perdure.tools.derive.choose import INJECTED
from perdure.tools.derive.errors import NoSchema
from perdure.tools.derive.inline import inlined
from perdure.tools.derive.schema import docstring_of, schema_from_source
from perdure.tools.derive.typescript import check_typescript

__all__ = [
    "INJECTED",
    "NoSchema",
    "check_typescript",
    "docstring_of",
    "inlined",
    "schema_from_source",
]
