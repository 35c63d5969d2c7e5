"""`perdure keys`: API keys of callers, and the key ring that seals secrets."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

app = typer.Typer(help="Make, list and revoke API keys; rotate the key ring.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, such as `ci`.")],
    organization: Annotated[
        str | None, typer.Option(help="Id of the organization it acts for. [default: the default one]")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Id of the user it acts as.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it ends: `30d`, `12h` or a date.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="May also use /v1/admin.")] = False,
) -> None:
    """Make a key and show it, once."""
    from perdure.cli.opened import with_database
    from perdure.config import load_settings
    from perdure.tenancy.actor import DEFAULT_ORGANIZATION
    from perdure.tenancy.keyring import load_key_ring
    from perdure.tenancy.keys import create_key

    settings = load_settings()
    ring = load_key_ring(settings.home, settings.sealing_keys)
    ends = parse_expiry(expires) if expires else None
    row, key = with_database(
        settings,
        lambda db: db.write(
            create_key,
            ring,
            name,
            organization_id=organization or DEFAULT_ORGANIZATION,
            user_id=user,
            admin=admin,
            expires_at=ends,
        ),
    )
    typer.echo(key)
    until = f" until {row.expires_at:%Y-%m-%d %H:%M} UTC" if row.expires_at else ""
    typer.echo(
        f"The key {name!r} acts for {row.organization_id}{until}. It is shown only now: keep it. "
        "From now on, every request needs a key: `Authorization: Bearer <key>`.",
        err=True,
    )


@app.command("list")
def list_() -> None:
    """List the keys; their secrets are not stored."""
    from perdure.cli.opened import with_database
    from perdure.config import load_settings
    from perdure.kit.clock import now
    from perdure.tenancy.keys import list_keys

    rows = with_database(load_settings(), lambda db: db.read(list_keys))
    if not rows:
        typer.echo("No keys yet; `perdure keys create NAME` makes one.", err=True)
    for row in rows:
        ends = "never ends"
        if row.expires_at:
            ends = f"{'ended' if row.expires_at <= now() else 'ends'} {row.expires_at:%Y-%m-%d %H:%M} UTC"
        power = "admin" if row.admin else "     "
        typer.echo(f"{row.prefix}…  {power}  {row.organization_id}  {ends}  {row.name}")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="Its name, id or beginning.")],
    organization: Annotated[str | None, typer.Option(help="Id of its organization.")] = None,
) -> None:
    """End a key, within five seconds on running servers."""
    from perdure.cli.opened import with_database
    from perdure.config import load_settings
    from perdure.tenancy.keys import revoke_key

    row = with_database(load_settings(), lambda db: db.write(revoke_key, name, organization))
    typer.echo(f"Revoked {row.name!r} ({row.prefix}…) of {row.organization_id}.")


@app.command()
def webhook(
    organization: Annotated[
        str | None, typer.Option(help="Id of the organization. [default: the default one]")
    ] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Replace it by a new one first.")] = False,
) -> None:
    """Show the secret that signs an organization's callbacks, so that receivers can check them."""
    from perdure.cli.opened import with_database
    from perdure.config import load_settings
    from perdure.tenancy.actor import DEFAULT_ORGANIZATION
    from perdure.tenancy.keyring import load_key_ring
    from perdure.tenancy.signing import renew_signing_secret, signing_secret

    settings = load_settings()
    ring = load_key_ring(settings.home, settings.sealing_keys)
    get = renew_signing_secret if renew else signing_secret
    secret = with_database(settings, lambda db: db.write(get, ring, organization or DEFAULT_ORGANIZATION))
    typer.echo(secret)


@app.command()
def rotate() -> None:
    """Add a new key to the key ring and seal all stored secrets with it."""
    from perdure.cli.opened import with_database
    from perdure.config import load_settings
    from perdure.tenancy.keyring import load_key_ring
    from perdure.tenancy.sealed import reseal

    settings = load_settings()
    ring = load_key_ring(settings.home, settings.sealing_keys)
    if ring.path:
        ring.rotate()
    count = with_database(settings, lambda db: db.write(reseal, ring))
    typer.echo(f"Sealed {count} secrets with key {ring.newest}; the ring has {len(ring.ids)} keys.")
    if not ring.path:
        typer.echo(
            "The keys come from PERDURE_ENCRYPTION_KEYS. For a new one, put it first there, restart the "
            "servers, and run this again.",
            err=True,
        )


def parse_expiry(text: str) -> "datetime":
    """The moment that `30d`, `12h` or an ISO date means."""
    from datetime import UTC, datetime, timedelta

    from perdure.kit.clock import now
    from perdure.kit.errors import InvalidArgument

    units = {"d": "days", "h": "hours", "m": "minutes"}
    number, unit = text[:-1], text[-1:]
    if number.isdigit() and unit in units:
        return now() + timedelta(**{units[unit]: int(number)})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidArgument(
            f"--expires {text}: write `30d`, `12h` or a date such as 2027-01-31."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
