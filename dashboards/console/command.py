"""`palier console`: serves the built-in page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from palier.extras import how_to_install
from palier.options import USAGE, CheckOption, CommandError, ConfigOption, PrintConfigOption

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.applications import Starlette

    from palier.historian.base import Historian

    from .access import Access
    from .acting import Acting
    from .settings import ConsoleSettings


def console(
    config: ConfigOption = None, check: CheckOption = False, print_config: PrintConfigOption = False
) -> None:
    """Serve the page: plant, machines, alarms, gateways, ledger, read from what the ingest keeps.

    It listens on loopback; an address that others reach needs `accounts` (see `palier user`) and TLS. With
    [broker] people acknowledge and record from the page, which asks the ingest for them.

    Example: palier console --config console.toml
    """
    try:
        import argon2  # noqa: F401
        import jinja2  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise CommandError(
            f"the page needs the extra `web` ({error.name} is missing): {how_to_install('web')}", USAGE
        ) from error
    from palier.settings import configure_logging, load_settings, settings_text

    from .settings import ConsoleSettings

    settings = load_settings(ConsoleSettings, config)
    if print_config:
        typer.echo(settings_text(settings), nl=False)
        return
    from .memory import stay_small

    stay_small()
    application = build(settings)
    if check:
        _check(settings)
        return
    from .server import serve

    configure_logging("console")
    serve(application, settings)


def build(settings: ConsoleSettings) -> Starlette:
    """The application of these settings.

    Raises ConfigError for a plant, limits or an account that can't be used, CommandError where the client of
    an InfluxDB is not installed.
    """
    from palier.historian.base import SchemaError, Unavailable
    from palier.historian.folder import DataFolder
    from palier.historian.opening import need_client, open_historian
    from palier.limits import load_limits
    from palier.plant import load_plant
    from palier.strict_toml import ConfigError

    from .acting import Acting
    from .app import create_app
    from .live import READ_S

    plant = load_plant(settings.plant)
    folder = DataFolder(settings.data)
    file = folder.historian
    if settings.historian.url is not None:
        try:
            need_client()
        except SchemaError as error:
            raise CommandError(str(error), USAGE) from error
    settings.historian.account()  # its mistakes are the configuration's: found here, not by a page

    def opened() -> Historian:
        try:
            return open_historian(settings.historian, file, read_only=True, read_s=READ_S)
        except ConfigError as error:  # the file of the account went away meanwhile
            raise Unavailable(str(error)) from error

    application = create_app(
        plant,
        historian=file if settings.historian.url is None else None,
        open_historian=opened,
        records=folder.records,
        waveforms=folder.waveforms,
        acting=Acting(None, settings.read_only) if settings.read_only else _acting(settings, plant.site_id),
        access=_access(settings),
        shown=settings,
        limits=load_limits(plant.limits_file),
        clock=settings.clock.plant_clock(),
        lang=settings.lang,
    )
    return application if settings.training is None else _training(application, settings.training)


def _access(settings: ConsoleSettings) -> Access | None:
    """The accounts of these settings, None where they name none. Raises CommandError with what to do."""
    if settings.accounts is None:
        return None
    from .access import Access
    from .account_file import AccountError, NoAccounts

    try:
        return Access(settings.accounts, plain=settings.insecure)
    except NoAccounts as error:
        remedy = f"palier user add NAME --role engineer --accounts {settings.accounts}"
        raise CommandError(f"{error}. An engineer's account is made by: {remedy}", USAGE) from error
    except AccountError as error:
        raise CommandError(str(error), USAGE) from error


def _training(application: Starlette, folder: Path) -> Starlette:
    """The page of the training session in a folder. Raises CommandError where there is none."""
    from palier.training import TrainingError

    from .training_app import as_training

    try:
        return as_training(application, folder)
    except TrainingError as error:
        raise CommandError(str(error), USAGE) from error


def _acting(settings: ConsoleSettings, site: str) -> Acting:
    """Asks the ingest of the site for people. Raises ConfigError for a password that can't be read."""
    from functools import partial

    from palier.asking import Way, ask
    from palier.settings import BrokerSettings

    from .acting import Acting

    broker = settings.broker or BrokerSettings()
    broker.password_text()  # its mistakes are the configuration's: found here, not by a page
    return Acting(partial(ask, Way(site, broker)))


def _check(settings: ConsoleSettings) -> None:
    """Say whether the page could show something; a historian that is not there yet is no mistake."""
    from contextlib import closing

    from palier.historian.base import HistorianError
    from palier.historian.folder import DataFolder
    from palier.historian.opening import open_historian

    from .live import READ_S

    path = DataFolder(settings.data).historian
    if settings.historian.url is None and not path.exists():
        typer.echo(f"{path} does not exist yet: the page will fill when the ingest has started")
        return
    try:
        with closing(open_historian(settings.historian, path, read_only=True, read_s=READ_S)) as historian:
            historian.sites()
    except HistorianError as error:
        raise CommandError(str(error)) from error
    typer.echo(f"{settings.plant} and {settings.historian.url or path} can be read")
