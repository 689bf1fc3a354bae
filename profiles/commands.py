"""The command `xdsi`: serve, publish, fsck, trace, bench. What it cannot do it says in words, with exit status 2.

Every command loads what it needs when it runs: `xdsi --help` is quick, and `serve` must set the folder of the shared
counters before the metrics library is imported.
"""

import contextlib
import importlib.util
import runpy
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from pydantic import ValidationError

from profiles.addresses import Refused, at_home
from profiles.settings import Settings

Extras = Callable[[], Sequence[Any]]
WRONG_USE = 2
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)

STORE_OPTIONS = (
    click.option("--data", type=FOLDER, help="Folder of the embedded stores. Default: data"),
    click.option("--config", type=FILE, help="TOML file of settings."),
)
SERVE_OPTIONS = (
    click.argument("part", type=click.Choice(("all", "web", "worker", "mllp")), default="all"),
    *STORE_OPTIONS,
    click.option("--web", metavar="HOST:PORT", help="Address of the web server. Default: 127.0.0.1:8080"),
    click.option("--dicom", metavar="HOST:PORT|off", help="Address of the DICOM side."),
    click.option("--mllp", metavar="HOST:PORT|off", help="Address of the HL7 v2 side."),
    click.option("--server", type=click.Choice(("gunicorn", "granian")), help="Web server. Default: gunicorn"),
    click.option("--demo", is_flag=True, help="Load the demonstration region, if it is not there yet."),
)


def command_line(extras: Extras, *, bench: str, curve: str) -> click.Group:
    """The command group.

    `extras` gives the routes of packages above this one, `bench` and `curve` name the benchmarks' modules.
    """

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(package_name="openxdsi", prog_name="xdsi")
    def cli() -> None:
        """OpenXDS-I: an XDS-I.b registry and repository with FHIR and DICOMweb."""

    @cli.command("bench", context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def bench_command(arguments: tuple[str, ...]) -> None:
        """Measure speed against its floors, on this machine."""
        _run_module(bench, arguments)

    @cli.command("curve", context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def curve_command(arguments: tuple[str, ...]) -> None:
        """Measure how answers slow down as the archive grows."""
        _run_module(curve, arguments)

    cli.add_command(_serve_command(extras))
    cli.add_command(publish)
    cli.add_command(fsck)
    cli.add_command(trace)
    return cli


def _with(options: Sequence[Any]) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _serve_command(extras: Extras) -> click.Command:
    @click.command("serve")
    @_with(SERVE_OPTIONS)
    def serve_command(
        part: str,
        data: Path | None,
        config: Path | None,
        web: str | None,
        dicom: str | None,
        mllp: str | None,
        server: str | None,
        demo: bool,
    ) -> None:
        """Run the server, or one PART of it alone, until it is asked to stop."""
        from profiles import logs

        logs.configure()
        chosen = {name: value for name, value in (("address", web), ("server", server)) if value is not None}
        settings = settings_of(config, data=data, web=chosen or None, dicom=dicom, mllp=mllp)
        raise SystemExit(_serve(settings, part, demo, extras))

    return serve_command


def _serve(settings: Settings, part: str, demo: bool, extras: Extras) -> int:
    from profiles import announce, folders

    try:
        if part in ("all", "web"):
            at_home(settings.web.address)
        for warning in announce.not_spoken(settings):
            click.echo(f"Warning: {warning}", err=True)
        folders.prepare(settings, part)
        from profiles.serve import serve

        return serve(settings, part=part, with_demo=demo, extras=extras())
    except Refused as refused:
        _stop(str(refused))


@click.command()
@click.argument("study_uid")
@click.option("--web", metavar="HOST:PORT", help="Address that the server was started with: the manifest links to it.")
@click.option(
    "--on-demand", is_flag=True, help="Register an on-demand entry: the manifest is made when it is asked for."
)
@_with(STORE_OPTIONS)
def publish(study_uid: str, web: str | None, on_demand: bool, data: Path | None, config: Path | None) -> None:
    """Make and register the manifest of the study STUDY_UID now, without waiting for it to come to rest."""
    from profiles.composition import compose
    from registry.access import Caller
    from registry.metadata.errors import Rejected

    house = compose(_used_settings(config, data, web={"address": web} if web else None))
    caller = Caller(name="xdsi publish", address="", transaction="ITI-61" if on_demand else "RAD-68")
    try:
        if on_demand:
            entry = house.imaging.publish_on_demand(study_uid, caller)
            word = "stands already" if entry.unchanged else "is registered"
            click.echo(f"The on-demand entry {entry.unique_id} {word}.")
            return
        done = house.imaging.publish(study_uid, caller)
    except Rejected as rejected:
        for finding in rejected.findings:
            click.echo(str(finding), err=True)
        raise SystemExit(1) from rejected
    word = "is unchanged" if done.unchanged else "replaces the one before" if done.replaced else "is registered"
    click.echo(f"The manifest {done.document_unique_id} {word}.")


@click.command()
@click.option("--repair", is_flag=True, help="Move orphans aside; nothing is deleted.")
@click.option("--grace", default=60.0, show_default=True, help="Age in seconds up to which a file may be an upload.")
@_with(STORE_OPTIONS)
def fsck(repair: bool, grace: float, data: Path | None, config: Path | None) -> None:
    """Compare the database with the blob store. Exit status: 0 clean, 1 mended, 2 something is wrong."""
    from profiles import check

    raise SystemExit(check.run(_used_settings(config, data), repair=repair, grace=grace))


@click.command()
@click.argument("exchange", required=False, metavar="[ID]")
@click.option("--transaction", default="", metavar="ITI-41", help="Only exchanges of this transaction.")
@click.option("--failed", is_flag=True, help="Only what was refused or failed.")
@click.option("--follow", is_flag=True, help="Print exchanges as they come, until interrupted.")
@click.option("-n", "count", default=20, show_default=True, type=click.IntRange(1), help="How many of the newest.")
@_with(STORE_OPTIONS)
def trace(
    exchange: str | None,
    transaction: str,
    failed: bool,
    follow: bool,
    count: int,
    data: Path | None,
    config: Path | None,
) -> None:
    """List what was sent and answered lately, or show one exchange, ID, with what was wrong with it."""
    from profiles.trace import command
    from profiles.trace.ring import Ring

    ring = Ring.of(_used_settings(config, data))
    if exchange is not None:
        if not command.shown(ring, exchange):
            _stop(f"There is no exchange {exchange}.")
    elif follow:
        with contextlib.suppress(KeyboardInterrupt):
            command.follow(ring, transaction, failed)
    else:
        command.listed(ring, transaction, failed, count)


def settings_of(config: Path | None, **flags: Any) -> Settings:
    """The settings, or the end of the program with every wrong one named."""
    try:
        settings = Settings.load(config, **flags)
        _ = settings.blobs
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors(include_url=False)]
        _stop("These settings are wrong:\n" + "\n".join(f"  {line}" for line in lines))
    except FileNotFoundError:
        _stop(f"There is no settings file {config}.")
    except tomllib.TOMLDecodeError as error:
        _stop(f"The settings file {config} is not TOML: {error}")
    except ValueError as error:
        _stop(str(error))
    else:
        return settings


def _used_settings(config: Path | None, data: Path | None, **flags: Any) -> Settings:
    """The settings of a server that has run: a misspelt folder must not become a new, empty store."""
    settings = settings_of(config, data=data, **flags)
    if not (settings.database_url or (settings.data / "registry.sqlite").exists()):
        _stop(f"There is no data in {settings.data}: name the folder by --data, or the settings file by --config.")
    return settings


def _run_module(module: str, arguments: Sequence[str]) -> None:
    if importlib.util.find_spec(module) is None:
        _stop(f"{module} is not part of this installation.")
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _stop(text: str) -> NoReturn:
    click.echo(text, err=True)
    raise SystemExit(WRONG_USE)
