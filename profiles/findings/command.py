"""`xdsi findings` and `xdsi correct`: what contradicts what is held, decided on; and demographics corrected.

Patient ids are printed here, so that somebody can decide; they are never logged. What is shown is audited as a read,
what is done in its own unit of work, by the name of the person at the terminal.
"""

import getpass
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from profiles.house import House
    from profiles.settings import Settings
    from registry.access import Caller

StoreOptions = Callable[[Any], Any]
UsedSettings = Callable[..., "Settings"]
FAILED = 1


def commands(store_options: StoreOptions, used_settings: UsedSettings) -> tuple[click.Command, click.Command]:
    """The two commands. `used_settings(config, data)` gives the settings of a server that has run."""
    return _findings(store_options, used_settings), _correct(store_options, used_settings)


def _findings(store_options: StoreOptions, used_settings: UsedSettings) -> click.Group:
    @click.group("findings", invoke_without_command=True)
    @click.option("--all", "everything", is_flag=True, help="Those that are decided, too.")
    @click.option("--kind", default="", metavar="WORD", help="Only of kinds that have this word: patients.")
    @click.option("--study", default="", metavar="UID", help="Only of this study.")
    @click.option(
        "-n", "count", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many at most."
    )
    @store_options
    @click.pass_context
    def findings(
        context: click.Context,
        everything: bool,
        kind: str,
        study: str,
        count: int,
        data: Path | None,
        config: Path | None,
    ) -> None:
        """List what contradicts what is held, the open ones first; see `show` and `resolve`."""
        context.obj = (config, data)
        if context.invoked_subcommand is None:
            from profiles.findings import listing

            with _refusals():
                listing.listed(_house(context, used_settings, None, None), _caller(), everything, kind, study, count)

    _add_show(findings, store_options, used_settings)
    _add_resolve(findings, store_options, used_settings)
    return findings


def _add_show(findings: click.Group, store_options: StoreOptions, used_settings: UsedSettings) -> None:
    @findings.command("show")
    @click.argument("id_", metavar="ID")
    @store_options
    @click.pass_context
    def show(context: click.Context, id_: str, data: Path | None, config: Path | None) -> None:
        """Show one finding whole."""
        from profiles.findings import listing

        with _refusals():
            listing.shown(_house(context, used_settings, config, data), _caller(), id_)


def _add_resolve(findings: click.Group, store_options: StoreOptions, used_settings: UsedSettings) -> None:
    @findings.command("resolve")
    @click.argument("id_", metavar="ID")
    @click.option("--keep", "--discard", "how", flag_value="keep", help="What is held stays; the newcomer is put away.")
    @click.option("--accept", "how", flag_value="accept", help="The newcomer is taken: in the place of what is held.")
    @click.option("--patient", metavar="CX", help="The newcomer is taken for this patient: 42^^^&1.2.3&ISO.")
    @click.option("--close", "how", flag_value="close", help="Seen; for findings that keep no object aside.")
    @click.option("--whole-study", is_flag=True, help="Decide all open findings of this kind of its study so.")
    @click.option("--reason", required=True, help="Why: kept with the decision.")
    @store_options
    @click.pass_context
    def resolve(
        context: click.Context,
        id_: str,
        how: str | None,
        patient: str | None,
        whole_study: bool,
        reason: str,
        data: Path | None,
        config: Path | None,
    ) -> None:
        """Decide on a finding: nothing is deleted, what is put away lies in quarantine."""
        if bool(how) == bool(patient):
            raise click.UsageError("Say one of --keep, --accept, --patient and --close.")
        from profiles.findings import deciding

        house = _house(context, used_settings, config, data)
        with _refusals():
            done = deciding.decide(house, _caller(), id_, how or "take_for", patient, reason, whole=whole_study)
        click.echo(f"{done} {'finding is' if done == 1 else 'findings are'} decided.")


def _correct(store_options: StoreOptions, used_settings: UsedSettings) -> click.Command:
    @click.command("correct")
    @click.argument("study_uid", required=False)
    @click.option("--of-patient", metavar="CX", help="Correct all studies of this patient instead of one.")
    @click.option("--patient-id", metavar="CX", help="Whose the study is: 42^^^&1.2.3&ISO.")
    @click.option("--name", metavar="FAMILY^GIVEN", help="The patient's name.")
    @click.option("--birth-date", metavar="YYYYMMDD", help="The patient's birth date.")
    @click.option("--sex", type=click.Choice(("M", "F", "O", "")), help="The patient's sex.")
    @click.option("--accession", metavar="NUMBER", help="The accession number.")
    @click.option("--accession-authority", metavar="OID", help="Who assigned the accession number.")
    @click.option("--restore", metavar="VERSION", type=click.IntRange(0), help="Go back to a version; 0: as sent.")
    @click.option("--reason", help="Why: kept with the version. Without any change, the versions are listed.")
    @store_options
    def correct(
        study_uid: str | None,
        of_patient: str | None,
        restore: int | None,
        reason: str | None,
        data: Path | None,
        config: Path | None,
        **change: str | None,
    ) -> None:
        """Correct the demographics of the study STUDY_UID: the objects stay as they came, answers show the new values.

        A study that is given to another patient leaves the first one's answers at once.
        """
        asked = {name: value for name, value in change.items() if value is not None}
        if bool(study_uid) == bool(of_patient):
            raise click.UsageError("Name one study, or a patient by --of-patient.")
        if restore is not None and (asked or of_patient):
            raise click.UsageError("--restore goes back as a whole, and with one study.")
        if (asked or restore is not None) and not reason:
            raise click.UsageError("Say why, by --reason.")
        from profiles.composition import compose
        from profiles.findings import correcting, listing

        house, caller = compose(used_settings(config, data)), _caller("correct")
        with _refusals():
            if restore is not None:
                version = house.imaging.corrections.restore(str(study_uid), restore, caller, reason or "")
                click.echo(f"Version {version} of the demographics is that of {restore} again.")
            elif asked:
                studies = correcting.correct(house, caller, study_uid, of_patient, asked, reason or "")
                click.echo(f"{studies} {'study is' if studies == 1 else 'studies are'} corrected.")
            elif study_uid:
                listing.versions(house, caller, study_uid)
            else:
                raise click.UsageError("Say what is to be corrected.")

    return correct


def _house(context: click.Context, used_settings: UsedSettings, config: Path | None, data: Path | None) -> "House":
    """The actors; the options may stand before the subcommand's name or after it."""
    from profiles.composition import compose

    return compose(used_settings(config or context.obj[0], data or context.obj[1]))


def _caller(transaction: str = "findings") -> "Caller":
    from registry.access import Caller

    return Caller(name=getpass.getuser(), address="", transaction=transaction)


@contextmanager
def _refusals() -> "Iterator[None]":
    """Say in words what is refused, with exit status 1."""
    from registry.metadata.errors import Rejected

    try:
        yield
    except Rejected as rejected:
        for finding in rejected.findings:
            click.echo(str(finding), err=True)
        raise SystemExit(FAILED) from rejected
