"""The command `xdsi`: serve, publish, wrap, fsck, trace, bench. What it cannot do it says in words, with exit status 2.

Every command loads what it needs when it runs: `xdsi --help` is quick, and `serve` must set the folder of the shared
counters before the metrics library is imported.
"""

import contextlib
import importlib.util
import runpy
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from pydantic import ValidationError

from profiles.addresses import Refused, at_home
from profiles.findings.command import commands as findings_commands
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
    click.argument("part", type=click.Choice(("all", "web", "worker", "mllp", "dimse")), default="all"),
    *STORE_OPTIONS,
    click.option("--web", metavar="HOST:PORT", help="Address of the web server. Default: 127.0.0.1:8080"),
    click.option("--dicom", metavar="HOST:PORT|off", help="Address of the DICOM side."),
    click.option("--mllp", metavar="HOST:PORT|off", help="Address of the HL7 v2 side."),
    click.option("--server", type=click.Choice(("gunicorn", "granian")), help="Web server. Default: gunicorn"),
    click.option("--demo", is_flag=True, help="Load the demonstration region, if it is not there yet."),
)


def command_line(extras: Extras, measures: Mapping[str, tuple[str, str]]) -> click.Group:
    """The command group.

    `extras` gives the routes of packages above this one; `measures` are the commands that measure: name -> module and
    what it says of itself.
    """

    @click.group(context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(package_name="openxdsi", prog_name="xdsi")
    def cli() -> None:
        """OpenXDS-I: an XDS-I.b registry and repository with FHIR and DICOMweb."""

    for name, (module, about) in measures.items():
        cli.add_command(_measure_command(name, module, about))
    cli.add_command(_serve_command(extras))
    cli.add_command(publish)
    cli.add_command(wrap)
    cli.add_command(fsck)
    cli.add_command(trace)
    for one in findings_commands(_with(STORE_OPTIONS), _used_settings):
        cli.add_command(one)
    cli.add_command(viewer)
    cli.add_command(retention)
    cli.add_command(hold)
    cli.add_command(release)
    return cli


def _measure_command(name: str, module: str, about: str) -> click.Command:
    @click.command(name, help=about, context_settings={"ignore_unknown_options": True, "help_option_names": []})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        _run_module(module, arguments)

    return command


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
    from profiles import folders

    try:
        if part in ("all", "web"):
            at_home(settings.web.address)
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
    word = "is withdrawn, for nothing is left to share" if done.withdrawn else word
    click.echo(f"The manifest {done.document_unique_id} {word}.")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--patient", required=True, metavar="ID", help="number^^^&OID&ISO, or a number of the first authority.")
@click.option("--name", default="", metavar="FAMILY^GIVEN")
@click.option("--birth-date", default="", metavar="YYYYMMDD")
@click.option("--sex", default="", metavar="M|F|O")
@click.option("--study", "study_uid", default="", metavar="UID", help="Study that it belongs to.")
@click.option("--accession", default="", help="Accession number of the study, instead of its UID.")
@click.option("--study-description", default="")
@click.option("--title", default="", help="Title of the document, or of the photograph's series.")
@click.option("--modality", default="", help="Instead of the usual one of its kind: XC, DOC, M3D.")
@click.option("--taken", default="", metavar="YYYYMMDD[HHMMSS]", help="When it was made, if the file does not say.")
@_with(STORE_OPTIONS)
def wrap(file: Path, data: Path | None, config: Path | None, **context: str) -> None:
    """Make a DICOM object of FILE (JPEG, PNG, PDF, CDA or STL) and store it."""
    from profiles.composition import compose
    from registry.access import Caller
    from registry.metadata.errors import Rejected
    from repository.imaging.wrapping import Context

    house = compose(_used_settings(config, data))
    caller = Caller(name="xdsi wrap", address="", transaction="wrap")
    try:
        with file.open("rb") as opened:
            made = house.imaging.wrap(iter(lambda: opened.read(1 << 20), b""), Context(**context), caller)
    except Rejected as rejected:
        for finding in rejected.findings:
            click.echo(str(finding), err=True)
        raise SystemExit(1) from rejected
    click.echo(f"The {made.kind} is instance {made.sop_instance_uid} of study {made.study_uid}.")


@click.command()
@click.option("--repair", is_flag=True, help="Move orphans aside; nothing is deleted.")
@click.option("--grace", default=60.0, show_default=True, help="Age in seconds up to which a file may be an upload.")
@_with(STORE_OPTIONS)
def fsck(repair: bool, grace: float, data: Path | None, config: Path | None) -> None:
    """Compare the database with the blob store. Exit status: 0 clean, 1 mended, 2 something is wrong."""
    from profiles import check

    raise SystemExit(check.run(_used_settings(config, data), repair=repair, grace=grace))


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--limit", type=click.IntRange(1), help="Most studies to delete.")
@_with(STORE_OPTIONS)
def retention(dry_run: bool, limit: int | None, data: Path | None, config: Path | None) -> None:
    """Delete the studies that were kept for as long as the settings say."""
    from profiles import retention_command

    raise SystemExit(retention_command.retention(_used_settings(config, data), dry_run=dry_run, limit=limit))


@click.command()
@click.argument("study_uid", required=False)
@click.option("--reason", help="Why the study must be kept: a case number, never a name.")
@_with(STORE_OPTIONS)
def hold(study_uid: str | None, reason: str | None, data: Path | None, config: Path | None) -> None:
    """Place a legal hold on the study STUDY_UID, so that nothing of it is deleted; without it, list all holds."""
    from profiles import retention_command

    settings = _used_settings(config, data)
    if study_uid is None:
        raise SystemExit(retention_command.holds(settings))
    if not reason:
        _stop("A hold needs its --reason.")
    raise SystemExit(retention_command.hold(settings, study_uid, reason))


@click.command()
@click.argument("study_uid")
@_with(STORE_OPTIONS)
def release(study_uid: str, data: Path | None, config: Path | None) -> None:
    """Release the legal hold on the study STUDY_UID."""
    from profiles import retention_command

    raise SystemExit(retention_command.release(_used_settings(config, data), study_uid))


@click.group()
def viewer() -> None:
    """The OHIF viewer that /viewer serves."""


@viewer.command("install")
@click.option("--version", help="Version of the npm package. Default: the one that this release was tried with.")
@click.option("--file", "archive", type=FILE, help="The package's .tgz, when it has been fetched already.")
@_with(STORE_OPTIONS)
def install_viewer(version: str | None, archive: Path | None, data: Path | None, config: Path | None) -> None:
    """Fetch the built viewer by the npm client, and put it where the server finds it. 60 MB; no restart is needed."""
    from profiles.viewer.install import VERSION, NotInstalled, install
    from profiles.viewer.scope import folder_of

    folder = folder_of(settings_of(config, data=data))
    try:
        found = install(folder, version or VERSION, archive)
    except NotInstalled as error:
        _stop(str(error))
    click.echo(f"OHIF {found} is installed in {folder / 'app'}: open /viewer.")


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
