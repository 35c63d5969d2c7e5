"""The types that hints name, and what they are in JSON."""

import re
from typing import Any

NULL: dict[str, Any] = {"type": "null"}
SIMPLE: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": NULL,
    "NoneType": NULL,
    "Any": {},
    "object": {},
    "AnyStr": {"type": "string"},
    "LiteralString": {"type": "string"},
    "datetime": {"type": "string", "format": "date-time"},
    "AwareDatetime": {"type": "string", "format": "date-time"},
    "NaiveDatetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "time": {"type": "string", "format": "time"},
    "timedelta": {"type": "string", "format": "duration"},
    "UUID": {"type": "string", "format": "uuid"},
    "UUID4": {"type": "string", "format": "uuid"},
    "Decimal": {"type": "string"},
    "Path": {"type": "string"},
    "EmailStr": {"type": "string", "format": "email"},
    "AnyUrl": {"type": "string", "format": "uri"},
    "HttpUrl": {"type": "string", "format": "uri"},
    "AnyHttpUrl": {"type": "string", "format": "uri"},
    "PositiveInt": {"type": "integer", "exclusiveMinimum": 0},
    "NonNegativeInt": {"type": "integer", "minimum": 0},
    "NegativeInt": {"type": "integer", "exclusiveMaximum": 0},
    "PositiveFloat": {"type": "number", "exclusiveMinimum": 0},
    "NonNegativeFloat": {"type": "number", "minimum": 0},
    "Number": {"type": "number"},
    "StrictStr": {"type": "string"},
    "StrictInt": {"type": "integer"},
    "StrictFloat": {"type": "number"},
    "StrictBool": {"type": "boolean"},
}
TUPLES = frozenset({"tuple", "Tuple"})
LISTS = TUPLES | {
    *("list", "List", "Sequence", "MutableSequence", "Iterable", "Collection", "conlist"),
    *("set", "Set", "frozenset", "FrozenSet", "AbstractSet", "MutableSet"),
}
MAPS = frozenset({"dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict"})
WRAPPERS = frozenset({"Required", "NotRequired", "ReadOnly", "Final", "InitVar", "ClassVar"})
CALLABLE_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
