"""What a tool's source says about how it is called; it is read, never executed here."""

import ast
import symtable
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from perdure.tools.custom.hints import imports_for, read_quoted
from perdure.tools.derive import INJECTED
from perdure.tools.derive.choose import tool_function
from perdure.tools.derive.module import read_module
from perdure.tools.derive.parse import NAME

CLIENT = "client"
API_KEY = "LETTA_API_KEY"
PRELUDE = "__guest = {{'__name__': 'guest'}}\nexec(compile({text!r}, '<guest>', 'exec'), __guest)\n"
# Hints that say nothing more than JSON does.
JSON_NAMES = frozenset(
    {"str", "int", "float", "bool", "list", "dict", "List", "Dict", "Optional", "Union", "Any", "Literal"}
    | {"None", "object", "Mapping", "Sequence", "typing", "t", "AgentState", "TypedDict"}
)


@dataclass(frozen=True, slots=True)
class Source:
    """A function, which of its parameters the server fills, and what must be there before it runs.

    `nullable` ones have no default and take None: that is what they get where a model leaves them out.
    """

    function: str
    injected: frozenset[str] = frozenset()
    nullable: frozenset[str] = frozenset()
    prelude: str = ""
    calls_server: bool = False


@lru_cache(maxsize=128)
def read_source(source: str, name: str, language: str) -> Source:
    """How the tool `name` of a source is called; without a name, the one that a schema would be derived from.

    Raises `NoSchema` where there is no such function.
    """
    if language != "python":
        return Source(name, calls_server=API_KEY in source)
    module = read_module(source)
    function = tool_function(module, name or None)
    signature = function.args
    parameters = [*signature.posonlyargs, *signature.args, *signature.kwonlyargs]
    injected = frozenset(each.arg for each in parameters if each.arg in INJECTED)
    uses_client = _uses_client(source)
    imports, lost = imports_for(ast.Module(list(module.statements), []))
    converts = any(not _is_json(each.annotation) for each in parameters if each.arg not in injected)
    return Source(
        function.name,
        injected,
        frozenset(each.arg for each in _without_default(signature) if _takes_none(each.annotation)),
        _prelude(imports, lost, calls="agent_state" in injected or converts, client=uses_client),
        uses_client or API_KEY in source,
    )


def _without_default(signature: ast.arguments) -> list[ast.arg]:
    positional = [*signature.posonlyargs, *signature.args]
    named = zip(signature.kwonlyargs, signature.kw_defaults, strict=True)
    bare = [each for each, default in named if default is None]
    return positional[: len(positional) - len(signature.defaults)] + bare


def _takes_none(hint: ast.expr | None) -> bool:
    """Whether a hint says that None will do."""
    todo = [hint]
    while todo:
        match todo.pop():
            case ast.Constant(value=None):
                return True
            case ast.Constant(value=str() as text):
                todo += read_quoted(text)
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                todo += (left, right)
            case ast.Subscript(value=value, slice=ast.Tuple(elts=choices)) if _last_name(value) == "Union":
                todo += choices
            case ast.Subscript(value=value) if _last_name(value) == "Optional":
                return True
            case _:
                pass
    return False


def _last_name(node: ast.expr) -> str:
    """`Optional` of `typing.Optional`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _prelude(imports: Sequence[str], lost: Sequence[str], *, calls: bool, client: bool) -> str:
    made = "".join(f"{line}\n" for line in imports)
    if not (calls or client or lost):
        return made
    made += PRELUDE.format(text=_guest())
    made += "".join(f"{name} = __guest['lost']({name!r})\n" for name in lost)
    made += "__call__ = __guest['call']\n" if calls else ""
    return made + ("client = __guest['client']()\n" if client else "")


@cache
def _guest() -> str:
    return files("perdure.tools.custom").joinpath("guest.py").read_text()


def _uses_client(source: str) -> bool:
    """Whether a name `client` is used that the source does not define."""
    if CLIENT not in source:
        return False
    try:
        top = symtable.symtable(source, NAME, "exec")
        if CLIENT in top.get_identifiers():
            own = top.lookup(CLIENT)
            return own.is_referenced() and not (own.is_assigned() or own.is_imported())
        return _is_free(top)
    except (SyntaxError, RecursionError):
        return False  # it will not be compiled where it runs either, and that error tells more


def _is_free(scope: symtable.SymbolTable) -> bool:
    """Whether a scope inside takes `client` from the module."""
    if CLIENT in scope.get_identifiers() and scope.lookup(CLIENT).is_global():
        return True
    return any(_is_free(inner) for inner in scope.get_children())


def _is_json(hint: ast.expr | None) -> bool:
    """Whether values of a hint are what JSON gives."""
    if hint is None:
        return True
    if isinstance(hint, ast.Subscript) and _last_name(hint.value) == "Literal":
        return True
    names = [node.id for node in ast.walk(hint) if isinstance(node, ast.Name)]
    names += [node.attr for node in ast.walk(hint) if isinstance(node, ast.Attribute)]
    texts = [n.value for n in ast.walk(hint) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return not texts and all(name in JSON_NAMES for name in names)
