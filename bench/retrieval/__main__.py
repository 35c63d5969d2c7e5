"""The command: `python -m bench.retrieval --locomo locomo10.json`."""

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import mean

import httpx

from bench import processes
from bench.retrieval.asked import MODES, Answer, ask, stored, until_embedded
from bench.retrieval.locomo import KINDS, read, recall

VARIABLE = "LOCOMO"
DEPTHS = (5, 10, 25, 50)
PUBLISHED = {"DRAGON, published": (56.7, 66.2, 76.7, 82.7), "BM25, published": (56.1, 63.6, 72.1, 77.9)}


def main(given: Sequence[str] | None = None) -> None:
    """Store, ask, print."""
    options = arguments(given)
    if not options.locomo:
        raise SystemExit(f"--locomo: name the file, here or in the variable {VARIABLE}; it is not vendored.")
    answers: dict[str, list[Answer]] = {mode: [] for mode in MODES}
    with _server(options) as client:
        for conversation in read(options.locomo):
            with stored(client, conversation) as (archive, turns):
                vectors = until_embedded(client, archive, conversation, turns)
                for mode in MODES if vectors else ("lexical",):
                    answers[mode] += ask(client, archive, conversation, turns, mode)
    for line in report(answers):
        print(line)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """What is read, and which server answers."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.retrieval",
        description="Evidence retrieval on LoCoMo through the public API, one archive per conversation, one "
        "passage per turn. Without --url a Perdure server on a fresh home answers.",
    )
    named = os.environ.get(VARIABLE)  # noqa: TID251 - a bench is no server
    parser.add_argument("--locomo", type=Path, default=Path(named) if named else None, help="its JSON file")
    parser.add_argument("--database-url", help="database of the started server; `postgres`: a throw-away one")
    parser.add_argument("--url", help="measure this V1 server instead")
    parser.add_argument("--key", help="its API key")
    return parser.parse_args(given)


def report(answers: dict[str, list[Answer]]) -> Iterator[str]:
    """The figures as lines of a table."""
    yield f"{'R@':24}" + "".join(f"{depth:>7}" for depth in DEPTHS) + "    p50 ms  p95 ms"
    for mode, given in answers.items():
        if not given:
            continue
        times = sorted(answer.ms for answer in given)
        tail = f"{times[len(times) // 2]:10.1f}{times[int(len(times) * 0.95)]:8.1f}"
        yield _line(f"{mode} ({len(given)})", given) + tail
        for kind, name in KINDS.items():
            if some := [answer for answer in given if answer.question.kind == kind]:
                yield _line(f"  {name} ({len(some)})", some)
        for name in dict.fromkeys(answer.conversation for answer in given):
            yield _line(f"  {name}", [answer for answer in given if answer.conversation == name])
    for name, figures in PUBLISHED.items():
        yield f"{name:24}" + "".join(f"{figure:7.1f}" for figure in figures)


def _line(name: str, answers: Sequence[Answer]) -> str:
    shares = [
        mean(recall(answer.question.evidence, answer.found, depth) for answer in answers) for depth in DEPTHS
    ]
    return f"{name:24}" + "".join(f"{100 * share:7.1f}" for share in shares)


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[httpx.Client]:
    with ExitStack() as stack:
        url = options.url
        if not url:
            models = stack.enter_context(processes.model_server(None))
            database = processes.database_url(options.database_url, stack)
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-home-")))
            url = stack.enter_context(processes.perdure(home, models.url, database)).url
        headers = {"authorization": f"Bearer {options.key}"} if options.key else {}
        yield stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=120))


if __name__ == "__main__":
    main()
