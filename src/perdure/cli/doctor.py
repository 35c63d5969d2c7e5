"""`perdure doctor`: what is configured, what is reachable, what to fix. Shows no secrets."""

import asyncio
import logging
import stat
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import typer
from sqlalchemy.exc import SQLAlchemyError

import perdure
from perdure.cli.opened import no_answer, open_database, shown_url
from perdure.config import Settings, effective, load_settings, unknown_variables
from perdure.db import Database
from perdure.db.migrate import HEAD, current_revision
from perdure.kit.errors import PerdureError
from perdure.providers.catalog import Models
from perdure.providers.detect import detect
from perdure.providers.environment import providers_from
from perdure.providers.listing import is_known
from perdure.sandbox.base import SandboxUnavailable
from perdure.sandbox.chosen import UNSAFE, ChosenSandbox
from perdure.tenancy.actor import Actor
from perdure.tenancy.authenticate import guard_binding
from perdure.tenancy.keyring import FILE_NAME as KEY_FILE
from perdure.tenancy.keyring import load_key_ring
from perdure.tenancy.keys import any_key

State = Literal["good", "note", "bad"]
MARKS: dict[State, tuple[str, str]] = {"good": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "red")}
OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; anything but good says what to do."""

    state: State
    subject: str
    text: str


def doctor() -> bool:
    """Look at everything and print it; whether nothing is bad."""
    typer.echo(f"Perdure {perdure.__version__}")
    try:
        settings = load_settings()
    except PerdureError as error:
        return _show([Finding("bad", "settings", error.detail)])
    logging.disable()  # what is to say about it is said below
    try:
        fine = _show([*configured(settings), *asyncio.run(_tried(settings))])
        _show_settings(settings)
        return fine
    finally:
        logging.disable(logging.NOTSET)


def _show_settings(settings: Settings) -> None:
    """Print the settings in force, those that somebody set marked; no secrets."""
    typer.echo("\nSettings in force (• set by you):")
    for name, value, is_set in effective(settings):
        line = f"{'•' if is_set else ' '} {name}={value}"
        typer.echo(line if is_set else typer.style(line, dim=True))


def configured(settings: Settings) -> Iterator[Finding]:
    """What the settings and the home tell without asking anyone."""
    yield Finding("good", "home", str(settings.home))
    yield Finding("good", "database", shown_url(settings))
    yield from (Finding("note", "settings", sentence) for sentence in unknown_variables())
    path = settings.home / KEY_FILE
    if settings.encryption_keys:
        yield Finding("good", "key ring", f"{len(settings.encryption_keys)} keys from the settings")
    elif path.exists() and path.stat().st_mode & OTHERS_MAY_READ:
        yield Finding("bad", "key ring", f"others may read {path}; run: chmod 600 {path}")
    else:
        yield Finding("good", "key ring", f"{path}{'' if path.exists() else ', made at the first start'}")


async def _tried(settings: Settings) -> list[Finding]:
    return [*await _reachable(settings), await _sandbox(settings)]


async def _sandbox(settings: Settings) -> Finding:
    """Which sandbox holds here, found out as the server would; and why others do not."""
    mode = settings.sandbox.mode
    if mode == "off":
        return Finding("note", "sandbox", "off: tools with code of their own are refused")
    opened = ChosenSandbox(settings.sandbox, settings.surroundings)
    try:
        found = await opened.choose()
    except SandboxUnavailable as error:
        return Finding("note", "sandbox", error.detail)
    finally:
        await opened.close()
    if mode == "unsafe-local":
        return Finding("bad", "sandbox", UNSAFE)
    passed_over = "".join(f"; not {tried.name}: {tried.reason}" for tried in found.passed_over)
    return Finding("good", "sandbox", f"{found.name}, memory held by {found.memory_held_by}{passed_over}")


async def _reachable(settings: Settings) -> list[Finding]:
    findings = [_server(settings)]
    try:
        async with open_database(settings) as db:
            revision = await db.read(current_revision)
            findings += [_revision(revision), await _access(db, settings, revision)]
            if revision == HEAD:
                findings += await _models(db, settings)
    except (OSError, SQLAlchemyError, PerdureError) as error:
        findings.append(Finding("bad", "database", no_answer(settings, error)))
    return findings


def _server(settings: Settings) -> Finding:
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/v1/health/"
    try:
        with urllib.request.urlopen(url, timeout=2):
            return Finding("good", "server", f"answers at {url}")
    except (OSError, ValueError):
        return Finding("note", "server", f"not running at {url}; `perdure serve` starts it")


def _revision(revision: str | None) -> Finding:
    if revision == HEAD:
        return Finding("good", "tables", f"at revision {HEAD}")
    if revision is None:
        return Finding("note", "tables", "none yet; the first start makes them")
    return Finding("bad", "tables", f"at revision {revision}, not {HEAD}: run `perdure db upgrade`")


async def _access(db: Database, settings: Settings, revision: str | None) -> Finding:
    if settings.api_key:
        return Finding("good", "access", "with the configured key, or keys of `perdure keys`")
    if revision and await db.read(any_key):
        return Finding("good", "access", "with the keys of `perdure keys list`")
    try:
        guard_binding(settings.host, has_key=False)
    except PerdureError as error:
        return Finding("bad", "access", error.detail)
    return Finding("good", "access", "open to programs on this machine; `perdure keys create NAME` closes it")


async def _models(db: Database, settings: Settings) -> list[Finding]:
    """Every provider asked for its models, and what an agent that names none would use."""
    ring = load_key_ring(settings.home, settings.sealing_keys)
    named = providers_from(settings.environment, settings.all_providers)
    models = Models(db, ring, settings=settings.models, providers=named)
    try:
        models.directory.add(await detect(named) if settings.models.detect else [])
        await models.listings.refresh_all(await models.providers(Actor()))
        findings: list[Finding] = []
        for row in await models.providers(Actor()):
            listing = models.listings.of(row)
            subject = f"provider {row.name}"
            if listing.error:
                findings.append(Finding("bad", subject, listing.error))
            elif is_known(listing):
                findings.append(Finding("good", subject, f"{len(listing.models)} models"))
        handle = await models.default_handle(Actor())
    finally:
        await models.close()
    return [*findings, _default(handle)]


def _default(handle: str) -> Finding:
    if handle.startswith("demo/"):
        return Finding(
            "note",
            "models",
            "no provider yet, so the offline demo answers; set a key such as OPENAI_API_KEY, or start Ollama",
        )
    return Finding("good", "models", f"agents that name none use {handle}")


def _show(findings: list[Finding]) -> bool:
    for finding in findings:
        mark, colour = MARKS[finding.state]
        typer.echo(f"{typer.style(mark, fg=colour)} {finding.subject}: {finding.text}")
    return all(finding.state != "bad" for finding in findings)
