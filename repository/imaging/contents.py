"""What a held study is made of, from the index."""

from typing import Any

from pydicom.uid import KeyObjectSelectionDocumentStorage

from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import Code, Instance, StudyDescription
from repository.imaging import kos_library, rows
from repository.imaging.describe import patient_details
from repository.imaging.packing import read
from repository.imaging.source import ImagingSource
from repository.store import imaging as index
from repository.store.imaging import HeldStudy


def describe(reader: index.Rows, study_uid: str, here: ImagingSource, source: str) -> StudyDescription:
    """The study (`study_uid`, `source`) with its series and what they share: no manifests, no rejection notes.

    Raises:
        Rejected: NotFound.
    """
    held = index.study_row(reader, study_uid, source)
    if held is None:
        raise not_held(study_uid)
    return of_row(reader, study_uid, here, held)


def of_row(reader: index.Rows, study_uid: str, here: ImagingSource, held: HeldStudy) -> StudyDescription:
    """As `describe`, from a row that is read already: what it describes is at least as new as the row."""
    study = read(held.attributes)
    patient = None
    if held.patient_id:
        patient = patient_details(study, held.patient_id, here.default_authority)
    bare = rows.study_only(study, here, patient, rows.Requests.parse(held.requests))
    series, instances = index.contents(reader, study_uid, here.retrieve_location_uid)
    members: dict[str, list[Instance]] = {uid: [] for uid, _ in series}
    told = _key_objects(reader, study_uid, here, [columns for _, *columns in instances])
    for series_uid, sop_class_uid, uid, *numbers in instances:
        if series_uid in members:
            members[series_uid].append(Instance(sop_class_uid, uid, *numbers, *told.get(uid, ())))
    shared = [(read(packed), tuple(members[uid])) for uid, packed in series if members[uid]]
    return rows.with_series(bare, study, shared, here)


def _key_objects(
    reader: index.Rows, study_uid: str, here: ImagingSource, instances: list[list[Any]]
) -> dict[str, tuple[Code | None, str]]:
    """SOP Instance UID -> title and description of the key object documents among instances (class, UID, ...)."""
    uids = [uid for sop_class_uid, uid, *_ in instances if sop_class_uid == KeyObjectSelectionDocumentStorage]
    if not uids:
        return {}
    found = index.attributes_of(reader, study_uid, here.retrieve_location_uid, uids)
    return {uid: kos_library.told_of(read(packed)) for uid, packed in found}


def not_held(study_uid: str) -> Rejected:
    """The refusal of a study that is not here, or must not be shown."""
    return Rejected.because(ErrorCode.NotFound, study_uid, "no such study is held here", "PS3.18 10.4")
