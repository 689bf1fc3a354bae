"""Loading the demonstration region: everything goes in through the services that the doors use, and only once."""

import sys
import warnings
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from profiles.composition import compose
from profiles.demo import images
from profiles.demo.region import Study, patient_id, studies
from profiles.demo.reports import report_of
from profiles.house import House
from profiles.settings import Settings
from registry.access import Caller
from registry.metadata.errors import Rejected
from registry.metadata.urn import CodingScheme, FormatCode
from registry.queries import FindDocuments, GetDocuments, ReferenceId, ReturnType

CALLER = Caller(name="demonstration", address="", transaction="demonstration")


def load(settings: Settings) -> int:
    """Load what is missing of the region into the stores of `settings`; how many studies were new.

    Raises:
        Rejected: a service refused the region: the settings' affinity domain does not fit it, or a store failed.
    """
    house = compose(settings)
    wanted = list(studies())
    # Studies are loaded in order and the manifest is the last step of each: the last one's presence vouches for all.
    if _is_published(house, wanted[-1]):
        return 0
    new = 0
    with warnings.catch_warnings(), _progress() as progress:
        # The originals break rules that pydicom warns of; they are kept as their makers wrote them.
        warnings.simplefilter("ignore")
        bar = progress.add_task("Loading the demonstration region", total=len(wanted))
        for study in wanted:
            new += _load(house, study)
            progress.advance(bar)
    return new


def _load(house: House, study: Study) -> bool:
    if _is_published(house, study):
        return False
    domain = house.settings.affinity_domain
    files: Iterator[list[bytes]] = ([content] for content in images.objects(study, domain.patient_authorities[0]))
    refused = [outcome.finding for outcome in house.imaging.store(files, CALLER) if outcome.finding]
    if refused:
        raise Rejected(refused)
    if study.is_reported:
        _report(house, study)
    house.imaging.publish(study.uid, CALLER)
    return True


def _report(house: House, study: Study) -> None:
    report = report_of(study, house.settings.affinity_domain)
    held = GetDocuments(unique_ids=(str(report.entry.unique_id),))
    if not house.registry.query(held, ReturnType.OBJECT_REF, CALLER).refs:
        received = {report.entry.id: house.repository.receive([report.document])}
        house.repository.provide(report.submission, received, CALLER)


def _is_published(house: House, study: Study) -> bool:
    """Whether the manifest of `study` is registered."""
    authority = house.settings.affinity_domain.patient_authorities[0]
    manifest = FindDocuments(
        patient_id=str(patient_id(study.person, authority)),
        format_codes=(f"{FormatCode.KOS_MANIFEST}^^{CodingScheme.DICOM_UID_REGISTRY}",),
        reference_ids=((ReferenceId(study.uid),),),
    )
    return bool(house.registry.query(manifest, ReturnType.OBJECT_REF, CALLER).refs)


def _progress() -> Progress:
    """A bar on a terminal, nothing elsewhere."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
