"""A good submission, to be broken one thing at a time."""

from dataclasses import replace

from registry.metadata.model import Association, Author, Code, DocumentEntry, Folder, Submission, SubmissionSet
from registry.metadata.urn import AssociationType, DocumentAvailability

CX = "191212121212^^^&1.2.752.129.2.1.3.1&ISO"
OTHER_CX = "200001012384^^^&1.2.752.129.2.1.3.1&ISO"
REGISTERED = "urn:uuid:11111111-2222-4333-8444-555555555555"
CODE = Code("1", "1.2.3", "one")
AUTHOR = Author(
    person=("1^Welby^Marcus^^^^^^&1.2.9&ISO",),
    institutions=("North^^^^^^^^^1.2.3.9", "South"),
    roles=("physician",),
    specialties=("radiology",),
    telecommunications=("^^Internet^welby@example.org", "^WPN^PH^^^^7"),
)
ENTRY = DocumentEntry(
    id="Document01",
    mime_type="application/pdf",
    unique_id="1.2.3.1",
    patient_id=CX,
    title="Report",
    comments="final",
    creation_time="20240101",
    service_start_time="202401010800",
    service_stop_time="20240101",
    hash="0" * 40,
    size="12",
    language_code="sv-SE",
    legal_authenticator="1^Welby",
    source_patient_id="L1^^^&1.2.9&ISO",
    source_patient_info=("PID-5|Welby^Marcus",),
    reference_ids=("A1^^^^urn:ihe:iti:xds:2013:accession",),
    repository_unique_id="1.2.5",
    uri="report.pdf",
    document_availability=DocumentAvailability.ONLINE,
    authors=(AUTHOR,),
    class_code=CODE,
    confidentiality_codes=(CODE,),
    event_codes=(CODE,),
    format_code=CODE,
    healthcare_facility_type_code=CODE,
    practice_setting_code=CODE,
    type_code=CODE,
    home="urn:oid:1.2.6",
)
SET = SubmissionSet(
    id="SubmissionSet01",
    unique_id="1.2.3.2",
    source_id="1.2.3.4",
    patient_id=CX,
    title="Reports",
    comments="sent again",
    submission_time="20240101120000",
    authors=(AUTHOR,),
    content_type_code=CODE,
    intended_recipients=("North|1^Welby",),
    home="urn:oid:1.2.6",
)
FOLDER = Folder(
    id="Folder01",
    unique_id="1.2.3.3",
    patient_id=CX,
    title="Course",
    comments="of treatment",
    last_update_time="20240101120000",
    codes=(CODE,),
    home="urn:oid:1.2.6",
)
MEMBER = Association("m1", AssociationType.HAS_MEMBER, SET.id, ENTRY.id, "Original")
FOLDER_MEMBER = Association("m2", AssociationType.HAS_MEMBER, SET.id, FOLDER.id, "Original")
IN_FOLDER = Association("m3", AssociationType.HAS_MEMBER, FOLDER.id, ENTRY.id)
REPLACES = Association("r1", AssociationType.RPLC, ENTRY.id, REGISTERED)
GOOD = Submission((SET,), (ENTRY,), (FOLDER,), (MEMBER, FOLDER_MEMBER, IN_FOLDER, REPLACES))


def but(**changes):
    """GOOD, but for what `changes` say of its entry, set, folder, or one of the associations by its id."""
    ids = {a.id: a for a in GOOD.associations}
    entry = replace(ENTRY, **changes.pop("entry", {}))
    owner = replace(SET, **changes.pop("set", {}))
    folder = replace(FOLDER, **changes.pop("folder", {}))
    for id_ in list(ids):
        if id_ in changes:
            change = changes.pop(id_)
            if change is None:
                del ids[id_]
            else:
                ids[id_] = replace(ids[id_], **change)
    return replace(Submission((owner,), (entry,), (folder,), tuple(ids.values())), **changes)
