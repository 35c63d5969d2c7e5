"""What the runner of JavaScript and TypeScript makes of a job; here without any sandbox around it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from perdure.sandbox.base import Job, Limits, SandboxUnavailable
from perdure.sandbox.node.command import PACKAGES, node_command, runtime_for
from perdure.sandbox.node.runtime import NodeRuntime, find_node

NODE = find_node()
OLD = NodeRuntime(Path("/usr/bin/node"), (20, 20))
needs_node = pytest.mark.skipif(NODE is None, reason="no Node.js here")
needs_types = pytest.mark.skipif(
    NODE is None or not NODE.typescript, reason="no Node.js that reads TypeScript"
)


@pytest.fixture
def run(tmp_path: Path) -> Any:
    def run(
        source: str, function: str | None = None, packages: Path | None = None, **given: Any
    ) -> dict[str, Any]:
        language = given.pop("language", "javascript")
        job = Job(source, "org-1", function, language=language)
        told = {"source": source, "function": function, "language": language, "output_bytes": 1000, **given}
        (tmp_path / "job").write_text(json.dumps({"arguments": {}, **told}) + "\nfiles that follow")
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" 3<../job 4>../result', "sh", *node_command(NODE, job)],
            cwd=work,
            env={PACKAGES: str(packages)} if packages else {},
            capture_output=True,
            text=True,
            check=False,
        )
        said = (tmp_path / "result").read_text()
        outcome = json.loads(said) if said else {}
        return {**outcome, "stdout": done.stdout, "stderr": done.stderr, "exit": done.returncode}

    return run


@needs_node
@pytest.mark.parametrize(
    ("source", "arguments", "value"),
    [
        ("function f(a, b) { return [a, b] }", {"b": 1, "a": "x"}, ["x", 1]),
        ("export function f(a, b = 2) { return a + b }", {"a": 1}, 3),
        ("export async function f(a, b, c) { return [a, b ?? null, c] }", {"a": 1, "c": 3}, [1, None, 3]),
        ("export const f = async ({ a, b }) => a * b", {"a": 6, "b": 7}, 42),
        ("const f = (args) => args.a + args.b", {"a": 1, "b": 2}, 3),
        ("export default (a, b) => a - b", {"a": 3, "b": 2}, 1),
        ("function f(a) { return a }", {"a": {"b": [1, None, "ü"]}}, {"b": [1, None, "ü"]}),
        ("function f(...all) { return all }", {"a": 1, "b": 2}, [1, 2]),
        ("function f(a = ')', b /* , c */) { return a + b }", {"a": "(", "b": ")"}, "()"),
        ("const f = a => a", {"a": 1}, 1),
        ("module.exports = { f: (a) => a }", {"a": 1}, 1),
        (
            "import path from 'node:path';\nexport function f(a) { return path.basename(a) }",
            {"a": "/x/y"},
            "y",
        ),
        ("function f() { return require('node:path').sep }", {}, "/"),
    ],
)
def test_a_function_is_called_as_it_is_written(run: Any, source: str, arguments: Any, value: Any) -> None:
    assert run(source, "f", arguments=arguments)["value"] == value


@needs_types
def test_typescript_loses_its_types(run: Any) -> None:
    source = """
enum Unit { C = 'celsius', F = 'fahrenheit' }
interface Place { city: string }
export async function weather(place: Place, unit: Unit = Unit.C, days?: number): Promise<string> {
  return `${place.city} ${unit} ${days ?? 'today'}` as string
}
"""
    given = {"place": {"city": "Oslo"}}
    assert run(source, "weather", arguments=given, language="typescript")["value"] == "Oslo celsius today"
    script = "const a: number = 1;\nconsole.log(a as any);\na + 1"
    assert run(script, language="typescript")["value"] == 2


@needs_node
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("undefined", None),
        ("NaN", "NaN"),
        ("10n", 10),
        ("10n ** 30n", str(10**30)),
        ("new Map([['a', new Set([1])]])", {"a": [1]}),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("({a: undefined, b: null})", {"b": None}),
        ("new Uint8Array([1, 2])", [1, 2]),
        ("new RangeError('x')", "RangeError: x"),
        ("Object.create(null)", {}),
        ("'\\ud800'", "\ufffd"),
        ("[, 1]", [None, 1]),
        ("({['__proto__']: 1})", {"__proto__": 1}),
    ],
)
def test_any_value_is_told_as_json(run: Any, expression: str, value: Any) -> None:
    assert run(f"const f = () => {expression}", "f")["value"] == value


@needs_node
@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 1", 2),
        ("const a = 1\na + 1;", 2),
        ("let a = 1; a += 1; a", 2),
        ("const a = {\n  b: 1\n}", None),
        ("[1, 2]\n  .map(\n    (x) => x * 2\n  );\n", [2, 4]),
        ("for (const a of [1]) {\n  console.log(a)\n}", None),
        (
            "import { sep as s } from 'node:path';\nimport os, * as all from 'node:os'\ns + typeof os.cpus",
            "/function",
        ),
        ("await Promise.resolve(3)", 3),
        ("function f() {\n  return 1;\n}\nf()", 1),
        ("({a: 1})", {"a": 1}),
        ("`a\nb`", "a\nb"),
        ("setTimeout(() => console.log('later'), 5); 1", 1),
        ("", None),
        ("// nothing", None),
        ("export const a = 1;\na", 1),
    ],
)
def test_a_script_has_the_value_of_its_last_expression(run: Any, source: str, value: Any) -> None:
    done = run(source)
    assert done["value"] == value, done
    if "later" in source:
        assert done["stdout"] == "later\n"


@needs_node
def test_what_it_prints_goes_where_it_belongs(run: Any) -> None:
    done = run("console.log('out', 1); console.error('err'); 5")
    assert (done["value"], done["stdout"], done["stderr"]) == (5, "out 1\n", "err\n")


@needs_node
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("function f() {\n  throw new TypeError('no\\ncity')\n}", "TypeError: no city"),
        ("function g() {}", "ReferenceError: the source has no function 'f'"),
        ("function f() { return x }", "ReferenceError: x is not defined"),
        ("function f( {", "SyntaxError: "),
        ("const f = () => { const a = []; a.push(a); return a }", "RangeError: the value is nested"),
        ("const f = () => 'x'.repeat(2000)", "RangeError: the result has 2002 bytes, more than 1000"),
        ("const f = () => Promise.reject('words')", "Error: words"),
        (
            "const f = async () => { Promise.reject(new Error('apart')); await new Promise(() => {}) }",
            "Error: apart",
        ),
        (
            "const f = () => new Promise(() => setTimeout(() => { throw new Error('later') }, 1))",
            "Error: later",
        ),
        ("import 'no-such-package'; const f = 1", "Error: Cannot find package 'no-such-package'"),
    ],
)
def test_what_goes_wrong_is_one_line(run: Any, source: str, error: str) -> None:
    done = run(source, "f")
    assert done["error"].startswith(error), done
    assert ".perdure" not in done["stderr"]


@needs_node
def test_a_stack_shows_the_jobs_own_lines(run: Any) -> None:
    done = run("function f() {\n  inner()\n}\nfunction inner() {\n  throw new Error('x')\n}", "f")
    assert [line.strip().split("(")[-1] for line in done["stderr"].splitlines()] == [
        "Error: x",
        "f:5:9)",
        "f:2:3)",
    ]
    assert "script:2" in run("1\nnothing.there")["stderr"]


@needs_node
def test_an_end_of_its_own_is_no_error_when_it_says_so(run: Any) -> None:
    assert run("process.exit(0)")["value"] is None
    assert run("process.exit(3)") == {"stdout": "", "stderr": "", "exit": 3}


@needs_node
def test_a_prelude_runs_first_and_keeps_the_lines(run: Any) -> None:
    done = run(
        "const f = () => client.name + token", "f", prelude="const client = {name: 'x'}; var token = 'y'"
    )
    assert done["value"] == "xy"
    assert run("", "g", prelude="function g(a) { return a }", arguments={"a": 1})["value"] == 1


@needs_node
def test_packages_are_found(run: Any, tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "left"
    package.mkdir(parents=True)
    (package / "index.js").write_text("module.exports = (a) => `<${a}`")
    source = "import left from 'left';\nexport function f(a) { return left(a) + require('left')(a) }"
    assert run(source, "f", tmp_path / "node_modules", arguments={"a": 1})["value"] == "<1<1"
    script = "import left from 'left'\nleft(process.env.PERDURE_NODE_PACKAGES)"
    (tmp_path / "work" / "node_modules").unlink()
    assert run(script, packages=tmp_path / "node_modules")["value"] == "<undefined"


def test_no_runtime_is_told_in_words() -> None:
    job = Job("", "org-1", language="typescript", limits=Limits())
    with pytest.raises(SandboxUnavailable, match=r"no Node\.js, which runs TypeScript"):
        runtime_for(None, job)
    with pytest.raises(SandboxUnavailable, match=r"needs Node\.js 22\.13 or newer; this server has 20\.20"):
        runtime_for(OLD, job)
    assert find_node(Path("/bin/true")) is None
    assert find_node(Path("/nowhere")) is None
