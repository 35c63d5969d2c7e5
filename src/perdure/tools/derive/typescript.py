"""TypeScript sources: their schema is given, only the function is looked for."""

import re

from perdure.tools.derive.errors import NoSchema


def check_typescript(source: str, name: str) -> None:
    """Raises `NoSchema` unless the source has `function NAME` or `const NAME = …` at its top level."""
    word = re.escape(name)
    start = r"^[ \t]*(?:export[ \t]+)?(?:default[ \t]+)?"
    function = rf"{start}(?:async[ \t]+)?function[ \t]*\*?[ \t]*{word}[ \t]*[(<]"
    value = rf"{start}(?:const|let|var)[ \t]+{word}[ \t]*[:=]"
    if not re.search(rf"{function}|{value}", source, re.MULTILINE):
        raise NoSchema(
            f"source_code: it has no function {name}. Write `export function {name}(…)`, or name the one it"
            " has in json_schema."
        )
