"""The composition root: settings become actors. The one place where every part meets every other."""

import time
from collections.abc import Callable
from pathlib import Path

from database.engine import Database
from profiles.commitment_reports import Reporter
from profiles.communities import communities_of
from profiles.faces import ebrim_read, ebrim_write, fhir
from profiles.house import House
from profiles.imaging_fhir.diagnostic_report_body import render_diagnostic_report
from profiles.imaging_fhir.endpoint import render_endpoint
from profiles.imaging_fhir.imaging_study_body import render_imaging_study
from profiles.imaging_fhir.patient import render_links, render_patient
from profiles.imaging_sources import imaging_sources_of
from profiles.iocm import chores_of, policies_of
from profiles.mhd.document_reference import related_otherwise, render_document_reference
from profiles.post_office import OutboxPost, Postman
from profiles.settings import AffinityDomain, CodeSetting, Publishing, Settings
from registry.access import OpenPolicy
from registry.audit import NoAudit, ReadAudit
from registry.domain import Domain
from registry.metadata.model import Code
from registry.renderers import BASE, Renderers
from registry.service import Registry
from registry.spool import FileSpool, drain
from repository.imaging.codes import ManifestStyle
from repository.imaging.manifest_metadata import ManifestCodes
from repository.imaging.service import ImagingRepository
from repository.imaging.source import ImagingSource
from repository.service import Repository
from repository.store.blobs import BlobStore
from repository.store.files import FileBlobs

RENDERERS = Renderers(
    ebrim=ebrim_write.body,
    document_reference=render_document_reference,
    imaging_study=render_imaging_study,
    diagnostic_report=render_diagnostic_report,
    patient=render_patient,
    endpoint=render_endpoint,
    patient_links=render_links,
    ebrim_of=ebrim_write.for_patient,
    subject_of=fhir.about,
    slots_of=ebrim_read.slots_of_body,
    relations_of=related_otherwise,
)
WADO = "/dicomweb"


def compose(settings: Settings, now: Callable[[], float] = time.time) -> House:
    """The actors that `settings` ask for. Nothing is opened before it is used, so processes may fork after this."""
    database = Database(settings.database)
    blobs = blobs_of(settings)
    audit: ReadAudit = FileSpool(settings.data / "audit") if settings.audit else NoAudit()
    policy = OpenPolicy()
    domain = settings.affinity_domain
    registry = Registry(database, RENDERERS, audit, _domain(settings), policy, now)
    repository = Repository(database, blobs, registry, audit, policy, domain.repository_unique_id, now)
    imaging = ImagingRepository(
        database,
        blobs,
        registry,
        repository,
        audit,
        policy,
        source=_source(settings),
        codes=_manifest_codes(domain, settings.publishing),
        rejections=policies_of(settings),
        now=now,
    )
    registry.describe = imaging.describe
    registry.moved = repository.moved
    repository.on_demand = imaging.on_demand
    post = OutboxPost(database, now)
    communities, sources = communities_of(settings), imaging_sources_of(settings)
    return House(settings, registry, repository, imaging, post, policy, audit, communities, sources)


def blobs_of(settings: Settings) -> BlobStore:
    """The blob store that `settings` name."""
    place = settings.blobs
    if isinstance(place, Path):
        return FileBlobs(place)
    from repository.store.s3 import S3Blobs  # an optional part of the installation

    return S3Blobs(place, settings.data / "spool")


def chores(settings: Settings) -> list[tuple[str, Callable[[], bool], float]]:
    """What the worker does again and again: name, work (True: there may be more at once), seconds between."""
    house, database = compose(settings), Database(settings.database)
    return [
        ("publish", house.imaging.publisher.work_once, 0.5),
        *chores_of(settings, house.imaging),
        ("answers", Postman(house, database).work_once, 0.5),
        ("commitments", Reporter(house).work_once, 0.5),
        ("audit", lambda: drain(settings.data / "audit", database) > 0, 5.0),
    ]


def _domain(settings: Settings) -> Domain:
    domain = settings.affinity_domain
    return Domain(
        authorities=domain.patient_authorities,
        report_types=frozenset(domain.report_type_codes),
        # Our own base URL is put in when a resource goes out, since it may change and stored bodies may not.
        locations={**domain.retrieve_locations, domain.retrieve_location_uid: BASE + WADO},
        most_results=settings.limits.leaf_class_results,
        fed_only=domain.patients == "known",
        supersede=settings.publishing.supersede,
    )


def _source(settings: Settings) -> ImagingSource:
    domain = settings.affinity_domain
    return ImagingSource(
        retrieve_location_uid=domain.retrieve_location_uid,
        wado_url=settings.base_url + WADO,
        uid_root=domain.uid_root,
        patient_authorities=domain.patient_authorities,
        accession_authority=domain.accession_authority,
        patient_issuers=domain.patient_issuers,
        time_zone=domain.time_zone,
        quiet_seconds=settings.publishing.quiet_seconds,
        automatic=settings.publishing.automatic,
        persist_on_demand=settings.publishing.persist_on_demand,
        style=ManifestStyle(settings.publishing.manifest),
        display_uri=settings.publishing.display_uri,
    )


def _manifest_codes(domain: AffinityDomain, publishing: Publishing) -> ManifestCodes:
    def code(setting: CodeSetting) -> Code:
        return Code(setting.code, setting.scheme, setting.display)

    return ManifestCodes(
        source_id=domain.source_id,
        language_code=domain.language_code,
        class_code=code(domain.class_code),
        type_code=code(domain.type_code),
        confidentiality_code=code(domain.confidentiality_code),
        healthcare_facility_type_code=code(domain.healthcare_facility_type_code),
        practice_setting_code=code(domain.practice_setting_code),
        content_type_code=code(domain.content_type_code),
        procedures={key: code(setting) for key, setting in publishing.procedure_types.items()},
        type_from_procedure=publishing.type_code == "procedure",
    )
