"""Manifests of held studies: what they are registered with, when they are replaced, and that a crash harms nothing."""

import io
import json
from dataclasses import replace

import pytest
from holding import CALLER, CODES, HERE, PATIENT, PNR, SOURCE, STUDY, Holding, ct, dataset, part10
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, KeyObjectSelectionDocumentStorage
from sqlalchemy import select, update

from database.statement import Statement
from database.tables import OUTBOX
from registry.metadata.datatypes import is_oid
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import Code, PatientDetails, Series, StudyDescription
from registry.metadata.urn import AssociationType
from repository.imaging.codes import ManifestStyle
from repository.imaging.kos_reader import read_manifest
from repository.imaging.manifest_metadata import manifest_submission
from repository.imaging.publishing import Publisher, derived_uid, new_uid
from repository.store.tables import DOCUMENT, INSTANCE
from repository.store.tables import STUDY as STUDY_TABLE

NOW = {"document_uid": "1.2.1", "submission_uid": "1.2.2", "created": "20240701063500", "submitted": "20240701064000"}


@pytest.fixture
def held(database_url, tmp_path):
    house = Holding(database_url, tmp_path)
    yield house
    house.database.close()


def rows(held, *columns):
    return held.database.rows(Statement(select(*columns)))


def manifest_row(held):
    s = STUDY_TABLE.c
    return rows(held, s.manifest_uid, s.manifest_entry_id, s.manifest_version)[0]


def references(held, uid):
    """SOP Instance UIDs that the manifest `uid` lists, as a reader of the stored document sees them."""
    sha256 = dict(rows(held, DOCUMENT.c.unique_id, DOCUMENT.c.sha256))[uid]
    with held.blobs.open(sha256) as file:
        data = file.read()
    (study,) = read_manifest(io.BytesIO(data), len(data)).studies
    assert study.source == SOURCE
    return [instance.sop_instance_uid for series in study.series for instance in series.instances]


# --- metadata ---


STUDY_VALUE = StudyDescription(
    uid=STUDY,
    source=SOURCE,
    patient_id=PATIENT,
    started="20240701063000",
    description="Thorax",
    accessions=(("A1", "1.2.3.7"), ("A2", "")),
    orders=(("O1", "1.2.3.6"),),
    institution="North ^ South",
    patient=PatientDetails(PATIENT, "Tolvansson", "Tolvan Ek", "19121212", "M", f"1^^^&{PNR}&ISO"),
    series=(
        Series("1.1", "CT", body_part="CHEST"),
        Series("1.2", "CT", body_part="C-Spine"),
        Series("1.3", "PR"),
        Series("1.4", "US", body_part="somewhere"),
        Series("1.5", "SEG", body_part="CHEST"),
        Series("1.6", "KO"),
    ),
)


def test_a_manifest_is_registered_with_what_the_study_says():
    submission = manifest_submission(STUDY_VALUE, CODES, **NOW)
    (entry,) = submission.entries
    assert (entry.mime_type, entry.unique_id, entry.patient_id) == ("application/dicom", "1.2.1", PATIENT)
    assert entry.format_code.key == "1.2.840.10008.5.1.4.1.1.88.59^^1.2.840.10008.2.6.1"
    assert [(c.code, c.scheme, c.display) for c in entry.event_codes] == [
        ("CT", "1.2.840.10008.2.16.4", "Computed Tomography"),
        ("US", "1.2.840.10008.2.16.4", "Ultrasound"),
        ("816094009", "2.16.840.1.113883.6.96", "Thorax"),
        ("122494005", "2.16.840.1.113883.6.96", "Cervical spine"),
    ]
    assert entry.reference_ids == (
        "A1^^^&1.2.3.7&ISO^urn:ihe:iti:xds:2013:accession",
        "A2^^^^urn:ihe:iti:xds:2013:accession",
        f"{STUDY}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        "O1^^^&1.2.3.6&ISO^urn:ihe:iti:xds:2013:order",
    )
    assert (entry.creation_time, entry.service_start_time) == ("20240701063500", "20240701063000")
    assert entry.source_patient_id == f"1^^^&{PNR}&ISO"
    assert entry.source_patient_info == (
        f"PID-3|1^^^&{PNR}&ISO",
        "PID-5|Tolvansson^Tolvan Ek",
        "PID-7|19121212",
        "PID-8|M",
    )
    assert (entry.title, entry.language_code, entry.type_code.code) == ("Thorax", "sv-SE", "type")
    assert entry.authors[0].institutions == ("North   South",)


def test_set_and_entry_are_held_together_and_only_a_successor_replaces():
    (member,) = manifest_submission(STUDY_VALUE, CODES, **NOW).associations
    assert (member.type, member.submission_set_status) == (AssociationType.HAS_MEMBER, "Original")
    _, replacing = manifest_submission(STUDY_VALUE, CODES, **NOW, replaces="6e4c").associations
    assert (replacing.type, replacing.target) == (AssociationType.RPLC, "urn:uuid:6e4c")
    assert replacing.source == member.target


def test_what_cannot_be_written_as_an_identifier_or_is_not_known_is_left_out():
    patient = PatientDetails(PATIENT, "O'Brien & Sons|x")
    bare = replace(
        STUDY_VALUE, accessions=(("A^1", ""),), orders=(), institution="", description="", patient=patient, series=()
    )
    (entry,) = manifest_submission(bare, CODES, **NOW).entries
    assert len(entry.reference_ids) == 1
    assert (entry.title, entry.authors, entry.event_codes) == (None, (), ())
    assert entry.source_patient_info == (f"PID-3|{PATIENT}", "PID-5|O'Brien   Sons x")


@pytest.mark.parametrize("root", ["1.2", "1.2.752.129.2.9.5", "1." + "2" * 58])
def test_made_uids_are_uids(root):
    assert derived_uid(root, "a", 1) == derived_uid(root, "a", 1) != derived_uid(root, "a", 2)
    assert is_oid(derived_uid(root, "a"))
    assert is_oid(new_uid(root))
    assert derived_uid(root, "a").startswith(root + ".")


# --- publishing ---


def test_a_study_is_published_and_says_so(held):
    held.kept(ct(), ct(number=2))
    done = held.imaging.publish(STUDY, CALLER)
    assert (done.replaced, done.unchanged) == (False, False)
    assert manifest_row(held) == (done.document_unique_id, done.entry_id, 1)
    (submission,) = held.registrar.submissions
    (entry,) = submission.entries
    assert (entry.id, entry.unique_id) == (done.entry_id, done.document_unique_id)
    assert entry.service_start_time == "20240701063000"
    assert references(held, done.document_unique_id) == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    ((study, manifest_id),) = held.registrar.known
    assert (study.uid, study.source, manifest_id) == (STUDY, SOURCE, done.entry_id)


def test_publishing_again_changes_nothing_until_something_comes(held):
    held.kept(ct())
    first = held.imaging.publish(STUDY, CALLER)
    again = held.imaging.publish(STUDY, CALLER)
    assert again == replace(first, unchanged=True)
    held.clock.time += 100
    held.kept(ct(number=2))
    second = held.imaging.publish(STUDY, CALLER)
    assert (second.replaced, second.unchanged) == (True, False)
    replacing = held.registrar.submissions[1].associations[1]
    assert (replacing.type, replacing.target) == (AssociationType.RPLC, first.entry_id)
    assert references(held, second.document_unique_id) == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    assert references(held, first.document_unique_id) == [f"{STUDY}.1.1"]


def note(title, meaning, number):
    """A key object document of the study, about an instance that is not here."""
    concept, reference, series, evidence = Dataset(), Dataset(), Dataset(), Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = title, "DCM", meaning
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = CTImageStorage, f"{STUDY}.8.1"
    series.SeriesInstanceUID, series.ReferencedSOPSequence = f"{STUDY}.8", [reference]
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = STUDY, [series]
    data = dataset(series="9", number=number, Modality="KO", PixelData=None)
    data.SOPClassUID, data.ConceptNameCodeSequence = KeyObjectSelectionDocumentStorage, [concept]
    data.CurrentRequestedProcedureEvidenceSequence = [evidence]
    return part10(data)


def test_key_images_are_shared_and_rejection_notes_and_manifests_are_not(held):
    held.kept(
        ct(), note("113000", "Of Interest", 1), note("113001", "Rejected for Quality", 2), note("113030", "Manifest", 3)
    )
    done = held.imaging.publish(STUDY, CALLER)
    assert references(held, done.document_unique_id) == [f"{STUDY}.1.1", f"{STUDY}.9.1"]


def test_a_study_of_notes_alone_has_nothing_to_publish(held):
    held.kept(note("113001", "Rejected for Quality", 1))
    assert rows(held, OUTBOX.c.key) == []
    with pytest.raises(Rejected, match="no object to share"):
        held.imaging.publish(STUDY, CALLER)


def test_an_unknown_study_is_not_found(held):
    with pytest.raises(Rejected) as caught:
        held.imaging.publish("1.2.9", CALLER)
    assert caught.value.findings[0].code is ErrorCode.NotFound


# --- from the outbox ---


def test_a_study_is_published_when_nothing_came_for_the_quiet_time(held):
    held.kept(ct())
    held.clock.time += 59
    held.kept(ct(number=2))
    held.clock.time += 59
    assert held.imaging.publisher.work_once() is False
    held.clock.time += 1
    assert held.imaging.publisher.work_once() is True
    uid, _, version = manifest_row(held)
    assert version == 2
    assert len(references(held, uid)) == 2
    assert rows(held, OUTBOX.c.key) == []


def test_a_refusal_is_tried_again_or_set_aside_with_its_reason(held):
    held.kept(ct())
    held.clock.time += 60
    held.registrar.refusal = Rejected.because(ErrorCode.XDSRegistryBusy, "", "come back later", "test")
    assert held.imaging.publisher.work_once() is True
    o = OUTBOX.c
    ((state, error, attempts),) = rows(held, o.state, o.error, o.attempts)
    assert (state, attempts) == ("waiting", 1)
    assert "come back later" in error
    assert manifest_row(held) == (None, None, None)
    assert rows(held, DOCUMENT.c.unique_id) == []
    held.clock.time += 300
    held.registrar.refusal = Rejected.because(ErrorCode.XDSRegistryMetadataError, "", "wrong", "test")
    held.imaging.publisher.work_once()
    assert rows(held, o.state) == [("dead",)]


def test_any_other_failure_is_kept_with_the_job_and_the_worker_lives_on(held):
    held.kept(ct())
    held.clock.time += 60
    held.registrar.refusal = OSError("no route")
    assert held.imaging.publisher.work_once() is True
    o = OUTBOX.c
    assert rows(held, o.state, o.error) == [("waiting", "OSError: no route")]


class Crash(BaseException):
    """Nothing catches it, as nothing catches a power cut."""


@pytest.mark.parametrize("point", ["build", "keep", "unit", "answer"])
def test_a_crash_at_any_point_is_made_good_by_the_next_try(held, monkeypatch, point):
    held.kept(ct())
    held.clock.time += 60

    def crash(*_, **__):
        raise Crash

    with monkeypatch.context() as patch:
        if point == "build":
            patch.setattr(Publisher, "_manifest", crash)
        elif point == "keep":
            patch.setattr(held.blobs, "keep", crash)
        elif point == "unit":
            patch.setattr(held.registrar, "register", crash)
        else:
            patch.setattr("database.outbox.Outbox.done", crash)
        with pytest.raises(Crash):
            held.imaging.publisher.work_once()
    done = manifest_row(held)[2]
    assert done == (1 if point == "answer" else None)
    held.clock.time += 61
    assert held.imaging.publisher.work_once() is True
    assert rows(held, OUTBOX.c.key) == []
    assert len(held.registrar.submissions) == len(rows(held, DOCUMENT.c.unique_id)) == 1
    assert manifest_row(held)[2] == 1


def test_another_try_makes_the_same_bytes_under_the_same_name(held):
    held.kept(ct())
    held.registrar.refusal = Rejected.because(ErrorCode.XDSRegistryBusy, "", "later", "test")
    for _ in range(2):
        with pytest.raises(Rejected):
            held.imaging.publish(STUDY, CALLER)
        held.clock.time += 1000
    held.registrar.refusal = None
    done = held.imaging.publish(STUDY, CALLER)
    kept = set(held.blobs.walk())
    assert len(kept) == 2  # one slice, one manifest
    assert held.registrar.submissions[0].entries[0].creation_time == "20231114221320"
    assert held.registrar.submissions[0].submission_set.submission_time > "20231114221320"
    assert done.document_unique_id in dict(rows(held, DOCUMENT.c.unique_id, DOCUMENT.c.sha256))


def test_of_two_workers_one_publishes_and_the_other_sees_it(held, monkeypatch):
    held.kept(ct())
    keep = held.blobs.keep
    inner = []

    def meanwhile(received):
        if not inner:
            inner.append(None)
            inner[0] = held.imaging.publish(STUDY, CALLER)
        return keep(received)

    monkeypatch.setattr(held.blobs, "keep", meanwhile)
    outer = held.imaging.publish(STUDY, CALLER)
    assert outer.unchanged
    assert outer == replace(inner[0], unchanged=True)
    assert manifest_row(held)[1] == inner[0].entry_id


def test_the_outbox_names_the_study_and_nothing_of_the_patient(held):
    held.kept(ct())
    ((payload,),) = rows(held, OUTBOX.c.payload)
    assert json.loads(payload) == {"study_uid": STUDY, "source": SOURCE}


# --- what is left, and what it says ---


def test_a_study_of_which_nothing_is_left_is_withdrawn(held):
    held.kept(ct())
    first = held.imaging.publish(STUDY, CALLER)

    def work(unit):
        unit.execute(Statement(update(INSTANCE).values(hidden=1)))
        unit.execute(Statement(update(STUDY_TABLE).values(version=STUDY_TABLE.c.version + 1)))

    held.database.transact(work)
    assert held.imaging.publish(STUDY, CALLER) == replace(first, withdrawn=True)
    assert held.registrar.withdrawn == [first.entry_id]
    assert len(held.registrar.submissions) == 1


def test_a_manifest_with_description_names_the_title_of_key_images(database_url, tmp_path):
    house = Holding(database_url, tmp_path, replace(HERE, style=ManifestStyle.MADO, display_uri="http://v/{study}"))
    house.kept(ct(), note("113000", "Of Interest", 1))
    done = house.imaging.publish(STUDY, CALLER)
    sha256 = dict(rows(house, DOCUMENT.c.unique_id, DOCUMENT.c.sha256))[done.document_unique_id]
    with house.blobs.open(sha256) as file:
        data = file.read()
    found = read_manifest(io.BytesIO(data), len(data))
    assert (found.title.code, found.display_uri) == ("131560", f"http://v/{STUDY}")
    titles = [instance.title for series in found.studies[0].series for instance in series.instances]
    assert titles == [None, Code("113000", "1.2.840.10008.2.16.4", "Of Interest")]
    assert found.findings == ()
    house.database.close()


def test_accessions_of_the_study_and_of_its_requests_are_all_in_entry_and_manifest(held):
    request = Dataset()
    request.AccessionNumber = "A2"
    held.kept(ct(), ct(number=2, RequestAttributesSequence=[request]))
    done = held.imaging.publish(STUDY, CALLER)
    (entry,) = held.registrar.submissions[0].entries
    assert [id_.partition("^")[0] for id_ in entry.reference_ids if "accession" in id_] == ["A1", "A2"]
    sha256 = dict(rows(held, DOCUMENT.c.unique_id, DOCUMENT.c.sha256))[done.document_unique_id]
    with held.blobs.open(sha256) as file:
        data = file.read()
    (study,) = read_manifest(io.BytesIO(data), len(data)).studies
    assert [value for value, _ in study.accessions] == ["A1", "A2"]


def region(code, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", meaning
    return [item]


def test_a_coded_anatomic_region_wins_over_body_part_examined(held):
    held.kept(ct(AnatomicRegionSequence=region("39607008", "Lung structure")))
    held.imaging.publish(STUDY, CALLER)
    (entry,) = held.registrar.submissions[0].entries
    assert [(code.code, code.display) for code in entry.event_codes] == [
        ("CT", "Computed Tomography"),
        ("39607008", "Lung structure"),
    ]


PROCEDURE = Code("24627-2", "2.16.840.1.113883.6.1", "CT of chest")
MAPPED = Code("CTTHX", "1.2.3", "CT thorax")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, CODES.type_code),
        ({"type_from_procedure": True}, PROCEDURE),
        ({"procedures": {PROCEDURE.key: MAPPED}}, MAPPED),
        ({"procedures": {"other^^1.2": MAPPED}}, CODES.type_code),
        ({"procedures": {PROCEDURE.key: MAPPED}, "type_from_procedure": True}, MAPPED),
    ],
)
def test_the_type_code_is_the_domain_s_or_the_procedure_s(changes, expected):
    study = replace(STUDY_VALUE, procedure_codes=(PROCEDURE,))
    (entry,) = manifest_submission(study, replace(CODES, **changes), **NOW).entries
    assert entry.type_code == expected
