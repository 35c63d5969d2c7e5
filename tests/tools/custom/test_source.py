"""What a source says about its call, read without running it."""

import ast
import contextlib
import gc
from time import thread_time

import pytest
from tests.tools.derive.test_any_source import DEEP

from perdure.tools.custom.source import read_source
from perdure.tools.derive import NoSchema

CLIENTS = {
    "def f():\n    return client.agents": True,
    "def f():\n    def g():\n        return client\n    return g()": True,
    "x = client\ndef f():\n    return x": True,
    "def f():\n    return [client for _ in range(3)]": True,
    "def f(client):\n    return client.agents": False,
    "def f():\n    client = 1\n    return client": False,
    "from boto3 import client\ndef f():\n    return client('s3')": False,
    "client = None\ndef f():\n    return client": False,
    "def f():\n    return 'client'": False,
    "class client:\n    pass\ndef f():\n    return client()": False,
}


@pytest.mark.parametrize(("source", "uses"), CLIENTS.items())
def test_a_client_is_there_for_a_source_that_takes_it_from_nowhere_else(source, uses):
    read = read_source(source, "f", "python")
    assert read.calls_server is uses
    assert ("client = " in read.prelude) is uses


PLAIN = ("a: str", "a: list[int]", "a: dict[str, list[float]]", "a: str | None = None", "a=1", "a: 'Any' = 1")
RICH = ("a: date", "a: list[Order]", "a: Optional[Size]", "*, a: set[int]", "a: 'Order'", "a: datetime.date")


@pytest.mark.parametrize("parameters", PLAIN[:-1])
def test_plain_hints_cost_nothing(parameters):
    assert read_source(f"def f({parameters}): pass", "f", "python").prelude == ""


@pytest.mark.parametrize("parameters", RICH)
def test_other_hints_bring_what_makes_their_values(parameters):
    assert "__call__" in read_source(f"def f({parameters}): pass", "f", "python").prelude


def test_what_the_server_fills_is_known():
    source = "def f(a, agent_state: 'AgentState', *, agent_id=None): pass"
    assert read_source(source, "f", "python").injected == {"agent_state", "agent_id"}


def test_without_a_name_it_is_the_function_that_a_schema_would_be_of():
    source = "def helper(): pass\ndef real():\n    return helper()"
    assert read_source(source, "", "python").function == "real"
    assert read_source(source, "helper", "python").function == "helper"
    with pytest.raises(NoSchema, match="no function other"):
        read_source(source, "other", "python")


def test_a_source_without_a_function_is_told():
    with pytest.raises(NoSchema, match="no function"):
        read_source("x = 1", "f", "python")


def test_typescript_is_not_read():
    assert read_source("export function f() {}", "f", "typescript").function == "f"
    assert read_source("process.env.LETTA_API_KEY", "f", "typescript").calls_server


NAMES = {
    "class Order: pass": True,
    "def Order(): pass": True,
    "if 1:\n    Order = 1": True,
    "for Order in (): pass": True,
    "import Order.inner": True,
    "from a import b as Order": True,
    "with open('x') as (Order, _): pass": True,
    "try: pass\nexcept ValueError as Order: pass": True,
    "match 1:\n    case [Order, *_]: pass": True,
    "match 1:\n    case [*Order]: pass": True,
    "Order: int = 1": True,
    "import inner.Order": False,
    "class Other:\n    Order = 1": False,
    "def other(): Order = 1": False,
    "[Order for Order in ()]": False,
    "lambda: (Order := 1)": False,
    "print(Order)": False,
}


@pytest.mark.parametrize(("line", "known"), NAMES.items())
def test_a_name_in_a_hint_is_lost_unless_the_top_level_defines_it(line, known):
    read = read_source(f"{line}\ndef f(a: Order): pass", "f", "python")
    assert ("Order = __guest" in read.prelude) is not known


@pytest.mark.parametrize("name", [*DEEP, "client"])
def test_any_source_is_read_or_refused(name):
    source = DEEP.get(name) or f"def f(a, a): return client\nclient = {'lambda:' * 900}client"
    with contextlib.suppress(NoSchema):
        read_source(source, "f", "python")


def test_what_a_source_costs_grows_with_its_length():
    source = "".join(f"class C{at}: pass\n" for at in range(5_000)) + "def f(a: C1): pass"

    def cost(read):
        begun = thread_time()
        read()
        return thread_time() - begun

    gc.disable()  # what it finds of other tests is none of this cost
    try:
        parsing = cost(lambda: ast.parse(source))
        assert cost(lambda: read_source(source, "f", "python")) < 20 * parsing
    finally:
        gc.enable()
