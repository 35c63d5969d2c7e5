"""A TypeScript source has the function that its schema names."""

import pytest

from perdure.tools.derive import NoSchema, check_typescript


@pytest.mark.parametrize(
    "source",
    [
        "function add(a: number) {}",
        "export function add(a: number): number {}",
        "export default async function add<T>(a: T) {}",
        "import x from 'y';\n\nexport const add = async (a: number) => a;",
        "const add: Adder = (a) => a",
    ],
)
def test_a_function_may_be_written_in_several_ways(source: str) -> None:
    check_typescript(source, "add")


@pytest.mark.parametrize(
    "source", ["", "function added() {}", "// function add()", "const x = add(1)", " " * 90_000]
)
def test_a_source_without_it_is_refused(source: str) -> None:
    with pytest.raises(NoSchema, match=r"it has no function add. Write `export function add"):
        check_typescript(source, "add")
