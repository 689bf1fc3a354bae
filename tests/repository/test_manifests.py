"""Manifests of vendors by ITI-41: newer and older ones, empty ones, what differs, and what a description tells."""

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from examination import manifest_document, new_uid, person
from offering import opened
from region import Region
from running import RunningServer
from sqlalchemy import select
from wire import submissions as s
from wire.imaging import CALLER, CT, ELSEWHERE, Study, manifest_submission
from wire.soap_world import Answer, World

from conformance import messages
from database.statement import Statement
from registry.metadata.datatypes import Cx
from registry.metadata.model import Code, Instance, PatientDetails, Series, StudyDescription, Submission
from registry.metadata.urn import Action, ObjectType, ResponseStatus, Status, StoredQueryId
from registry.store.tables import MANIFEST
from repository.findings import FindingKind
from repository.imaging.codes import ManifestStyle
from repository.imaging.kos_builder import build_manifest

NOON = datetime(2024, 7, 4, 12, tzinfo=UTC)
KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"
DCM = "1.2.840.10008.2.16.4"


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> World:
    return opened(database_url, tmp_path / "data")


class Vendor:
    """An archive that exports a study again and again, each time as a new document, and never says RPLC."""

    def __init__(self, world: World, source_id: str = "1.2.752.129.2.9.77", location: str = ELSEWHERE) -> None:
        self.world, self.source_id, self.location = world, source_id, location
        self.patient = str(s.new().entries[0].patient_id)
        self.study = new_uid()

    def submission(self, uid: str, after: int, **entry: Any) -> Submission:
        made = (NOON + timedelta(hours=after)).strftime("%Y%m%d%H%M%S")
        submission = manifest_submission(uid, self.study, creation_time=made, **entry)
        return s.owner(s.of_patient(submission, self.patient), source_id=self.source_id)

    def document(self, uid: str, after: int = 0, series: tuple[Series, ...] | None = None, **more: Any) -> bytes:
        if series is None:
            series = (Series(new_uid(), "CT", 1, instances=(Instance(CT, new_uid()), Instance(CT, new_uid()))),)
        return build_manifest(
            StudyDescription(self.study, self.location, started="20240704063000", series=series),
            sop_instance_uid=uid,
            series_instance_uid=new_uid(),
            patient=PatientDetails(str(Cx.parse(self.patient))),
            retrieve_location_uid=self.location,
            retrieve_url="https://vendor.example/rs",
            now=NOON + timedelta(hours=after),
            **more,
        )

    def send(self, content: bytes, uid: str, after: int = 0, **entry: Any) -> Answer:
        made = self.submission(uid, after, **entry)
        return self.world.provide(made, {made.entries[0].id: content})

    def export(self, after: int = 0, series: tuple[Series, ...] | None = None, **more: Any) -> str:
        uid = new_uid()
        answer = self.send(self.document(uid, after, series, **more), uid, after)
        assert answer.outcome == "Success", answer.text
        return uid

    def found(self, status: Status = Status.APPROVED) -> list[str]:
        """uniqueIds of the patient's documents."""
        slots = [("$XDSDocumentEntryPatientId", f"'{self.patient}'"), ("$XDSDocumentEntryStatus", f"('{status}')")]
        answer = self.world.query(messages.stored_query(StoredQueryId.FIND_DOCUMENTS, slots))
        assert answer.outcome == "Success", answer.text
        name = "XDSDocumentEntry.uniqueId"
        return sorted(
            identifier.get("value")
            for entry in answer.objects
            for identifier in entry.iter("{*}ExternalIdentifier")
            if identifier.find(".//{*}LocalizedString").get("value") == name
        )

    def studies(self) -> list[dict[str, Any]]:
        number, _, authority = self.patient.partition("^^^&")
        token = f"urn:oid:{authority.removesuffix('&ISO')}|{number}"
        with self.world.client.get("/fhir/ImagingStudy", query_string={"patient.identifier": token}) as response:
            assert response.status_code == 200, response.text
            return [e["resource"] for e in response.get_json().get("entry", [])]


@pytest.fixture
def vendor(world: World) -> Vendor:
    return Vendor(world)


def counts(vendor: Vendor) -> list[tuple[str, int]]:
    return [(study["status"], study["numberOfInstances"]) for study in vendor.studies()]


def one_more(number: int) -> tuple[Series, ...]:
    return (Series(new_uid(), "CT", 1, instances=tuple(Instance(CT, new_uid()) for _ in range(number))),)


# --- newer and older ---


def test_a_newer_manifest_of_the_same_study_and_source_supersedes_the_older(vendor: Vendor) -> None:
    first, second = vendor.export(), vendor.export(1, one_more(5))
    assert (vendor.found(), vendor.found(Status.DEPRECATED)) == ([second], [first])
    assert counts(vendor) == [("available", 5)]


def test_an_older_one_that_arrives_late_does_not_displace(vendor: Vendor) -> None:
    newer, older = vendor.export(1, one_more(5)), vendor.export(0)
    assert (vendor.found(), vendor.found(Status.DEPRECATED)) == ([newer], [older])
    assert counts(vendor) == [("available", 5)]


def test_of_two_made_in_one_second_the_later_to_come_stands(vendor: Vendor) -> None:
    first, second = vendor.export(), vendor.export()
    assert (vendor.found(), vendor.found(Status.DEPRECATED)) == ([second], [first])


@pytest.mark.parametrize("other", [{"source_id": "1.2.752.129.2.9.78"}, {"location": "1.2.752.129.2.9.67"}])
def test_another_source_s_manifest_of_the_study_stands_beside_it(vendor: Vendor, other: dict[str, str]) -> None:
    neighbour = Vendor(vendor.world, **other)
    neighbour.study, neighbour.patient = vendor.study, vendor.patient
    both = sorted([vendor.export(), neighbour.export(1)])
    assert vendor.found() == both


def test_another_study_and_another_patient_are_left_alone(vendor: Vendor) -> None:
    first = vendor.export()
    stranger = Vendor(vendor.world)
    stranger.study = vendor.study
    theirs = stranger.export(1)
    vendor.study = new_uid()
    second = vendor.export(2)
    assert (vendor.found(), stranger.found()) == (sorted([first, second]), [theirs])


def test_a_site_can_turn_it_off(database_url: str, tmp_path: Path) -> None:
    vendor = Vendor(opened(database_url, tmp_path / "data", publishing={"supersede": False}))
    assert sorted([vendor.export(), vendor.export(1)]) == vendor.found()


def test_a_replacement_that_says_so_is_one_as_before(vendor: Vendor) -> None:
    first_uid, second_uid = new_uid(), new_uid()
    first = vendor.submission(first_uid, 0)
    assert vendor.world.provide(first, {first.entries[0].id: vendor.document(first_uid)}).outcome == "Success"
    second = s.related(vendor.submission(second_uid, 1), first.entries[0].id)
    assert vendor.world.provide(second, {second.entries[0].id: vendor.document(second_uid, 1)}).outcome == "Success"
    assert (vendor.found(), vendor.found(Status.DEPRECATED)) == ([second_uid], [first_uid])


def test_a_report_of_the_study_is_no_manifest(vendor: Vendor) -> None:
    report = s.new(reference_ids=(f"{vendor.study}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",))
    report = messages.provided(s.owner(s.of_patient(report, vendor.patient), source_id=vendor.source_id))
    assert vendor.world.provide(report, {report.entries[0].id: b"%PDF-1.4"}).outcome == "Success"
    vendor.export()
    vendor.export(1)
    assert str(report.entries[0].unique_id) in vendor.found()


def registered(vendor: Vendor, after: int, **entry: Any) -> str:
    """ITI-42 of a manifest that lies in another repository."""
    uid = new_uid()
    made = vendor.submission(uid, after, **entry)
    made = s.entry(made, hash="0" * 40, size="9", repository_unique_id="1.2.752.129.2.9.88")
    answer = vendor.world.register(made)
    assert answer.outcome == "Success", answer.text
    return uid


def test_by_iti_42_the_metadata_tell_which_is_newer(vendor: Vendor) -> None:
    first, second = registered(vendor, 0), registered(vendor, 1)
    late = registered(vendor, 0)
    assert (vendor.found(), vendor.found(Status.DEPRECATED)) == ([second], sorted([first, late]))


def test_by_iti_42_two_of_one_time_or_of_several_studies_stand_side_by_side(vendor: Vendor) -> None:
    same = [registered(vendor, 0), registered(vendor, 0)]
    two = tuple(f"{uid}^^^^urn:ihe:iti:xds:2016:studyInstanceUID" for uid in (vendor.study, new_uid()))
    same += [registered(vendor, 1, reference_ids=two), registered(vendor, 2, reference_ids=())]
    assert vendor.found() == sorted(same)


# --- withdrawal ---


def test_a_manifest_of_nothing_withdraws_what_came_before(vendor: Vendor) -> None:
    first, empty = vendor.export(), vendor.export(1, ())
    assert (vendor.found(), vendor.found(Status.DEPRECATED)) == ([], sorted([first, empty]))
    assert counts(vendor) == [("entered-in-error", 2)]


def test_a_manifest_of_nothing_that_replaces_the_last_withdraws_too(vendor: Vendor) -> None:
    first = vendor.export()
    uid = new_uid()
    old = f"urn:uuid:{vendor.world.house.registry.approved_entry(first)}"
    empty = s.related(vendor.submission(uid, 1), old)
    assert vendor.world.provide(empty, {empty.entries[0].id: vendor.document(uid, 1, ())}).outcome == "Success"
    assert vendor.found() == []
    assert [status for status, _ in counts(vendor)] == ["entered-in-error"]


def test_a_withdrawn_study_that_comes_back_is_available_anew(vendor: Vendor) -> None:
    vendor.export()
    vendor.export(1, ())
    again = vendor.export(2, one_more(3))
    assert vendor.found() == [again]
    assert counts(vendor) == [("available", 3)]


def test_a_withdrawal_that_arrives_late_withdraws_only_what_is_older(vendor: Vendor) -> None:
    newer = vendor.export(2)
    vendor.export(1, ())
    assert vendor.found() == [newer]
    assert counts(vendor) == [("available", 2)]


def test_a_manifest_that_arrives_after_its_withdrawal_brings_nothing_back(vendor: Vendor) -> None:
    vendor.export(0)
    vendor.export(2, ())
    vendor.export(1)
    assert vendor.found() == []
    assert counts(vendor) == [("entered-in-error", 2)]


def test_a_withdrawal_leaves_other_sources_alone(vendor: Vendor) -> None:
    neighbour = Vendor(vendor.world, source_id="1.2.752.129.2.9.78", location="1.2.752.129.2.9.67")
    neighbour.study, neighbour.patient = vendor.study, vendor.patient
    theirs = neighbour.export()
    vendor.export()
    vendor.export(1, ())
    assert vendor.found() == [theirs]


def test_a_removed_manifest_leaves_nothing_behind(vendor: Vendor) -> None:
    uid = vendor.export()
    registry = vendor.world.house.registry
    entry = f"urn:uuid:{registry.approved_entry(uid)}"
    slots = [("$uuid", f"('{entry}')")]
    associations = vendor.world.query(messages.stored_query(StoredQueryId.GET_ASSOCIATIONS, slots)).objects
    sets = {one.get("sourceObject") for one in associations}
    registry.remove([entry, *sets, *(one.get("id") for one in associations)], CALLER)
    assert (vendor.found(), vendor.studies()) == ([], [])
    assert registry._database.rows(Statement(select(MANIFEST.c.unique_id))) == []


# --- what is odd ---


def edited(content: bytes, **changes: Any) -> bytes:
    data, out = pydicom.dcmread(BytesIO(content)), BytesIO()
    for keyword, value in changes.items():
        setattr(data, keyword, value)
    data.save_as(out)
    return out.getvalue()


def test_lists_that_differ_are_a_finding_and_no_refusal(vendor: Vendor) -> None:
    uid = new_uid()
    content = vendor.document(uid)
    less = pydicom.dcmread(BytesIO(content)).ContentSequence[:1]
    assert vendor.send(edited(content, ContentSequence=less), uid).outcome == "Success"
    (finding,) = vendor.world.house.imaging.findings.find(kind=FindingKind.REFERENCES_DIFFER)
    assert (finding.study_uid, finding.object_uid) == (vendor.study, uid)
    assert "1 instances are in the evidence alone" in finding.text
    assert counts(vendor) == [("available", 2)]


def test_a_rejection_note_is_refused_in_words(vendor: Vendor) -> None:
    uid = new_uid()
    note = pydicom.Dataset()
    note.CodeValue, note.CodingSchemeDesignator, note.CodeMeaning = "113037", "DCM", "Rejected for Patient Safety"
    answer = vendor.send(edited(vendor.document(uid), ConceptNameCodeSequence=[note]), uid)
    assert (answer.outcome, answer.codes) == ("Failure", ["InvalidDocumentContent"])
    assert "is a rejection note" in answer.text
    assert (vendor.found(), vendor.studies()) == ([], [])


# --- a manifest with description ---


@pytest.mark.parametrize("style", [ManifestStyle.MADO, ManifestStyle.MADO_TRIAL])
def test_the_study_of_a_manifest_with_description_shows_all_that_it_tells(vendor: Vendor, style: ManifestStyle) -> None:
    title = Code("113000", DCM, "Of Interest")
    series = (
        Series(
            *(new_uid(), "CT", 7, "Thin slices", "CHEST", "20240704063500"),
            instances=(Instance(CT, new_uid(), 3, 10),),
        ),
        Series(new_uid(), "KO", instances=(Instance(KEY_OBJECTS, new_uid(), 1, None, title, "the nodule"),)),
    )
    vendor.export(series=series, style=style)
    (study,) = vendor.studies()
    first, second = study["series"]
    assert (first["modality"]["code"], first["number"], first["description"]) == ("CT", 7, "Thin slices")
    assert (first["bodySite"]["code"], first["started"]) == ("816094009", "2024-07-04T06:35:00Z")
    (image,) = first["instance"]
    assert (image["number"], [e["valueInteger"] for e in image["extension"]]) == (3, [10])
    assert second["instance"][0]["title"] == "Of Interest: the nodule"


def test_numbers_that_only_the_metadata_has_are_the_study_s_too(vendor: Vendor) -> None:
    uid = new_uid()
    ids = (
        f"{vendor.study}^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
        "ACC7^^^&1.2.3.7&ISO^urn:ihe:iti:xds:2013:accession",
    )
    assert vendor.send(vendor.document(uid), uid, reference_ids=ids).outcome == "Success"
    assert "ACC7" in [one["value"] for one in vendor.studies()[0]["identifier"]]


# --- our own ---


@pytest.fixture
def described(database_url: str, tmp_path: Path) -> World:
    viewer = "https://viewer.example/?study={study}"
    settings = {"manifest": "mado", "display_uri": viewer, "type_code": "procedure"}
    return opened(database_url, tmp_path / "data", publishing=settings)


def test_our_own_manifests_are_described_and_do_not_supersede_each_other(described: World) -> None:
    study = Study()
    procedure = pydicom.Dataset()
    procedure.CodeValue, procedure.CodingSchemeDesignator, procedure.CodeMeaning = "24627-2", "LN", "CT of chest"
    one = study.object(ProcedureCodeSequence=[procedure])
    assert [o.finding for o in described.house.imaging.store([[one]], CALLER)] == [None]
    with described.client.post(f"/xds/imaging/studies/{study.uid}/publish") as response:
        uid = response.get_json()["documentUniqueId"]
    with described.client.post(f"/xds/imaging/studies/{study.uid}/on-demand") as response:
        offered = response.get_json()["documentUniqueId"]
    with described.house.repository.document(uid, CALLER).open() as file:
        data = pydicom.dcmread(file)
    assert data.ConceptNameCodeSequence[0].CodeValue == "131560"
    assert data.CurrentRequestedProcedureEvidenceSequence[0][0x0040E012].value.endswith(f"study={study.uid}")
    assert described.retrieve(("1.2.752.129.2.9.2", offered)).outcome == "Success"
    slots = [
        ("$XDSDocumentEntryPatientId", f"'{study.who.cx}'"),
        ("$XDSDocumentEntryStatus", f"('{Status.APPROVED}')"),
        ("$XDSDocumentEntryType", f"('{ObjectType.STABLE_DOCUMENT}')"),
        ("$XDSDocumentEntryTypeCode", "('24627-2^^2.16.840.1.113883.6.1')"),
    ]
    answer = described.send(Action.REGISTRY_STORED_QUERY, messages.stored_query(StoredQueryId.FIND_DOCUMENTS, slots))
    assert len([o for o in answer.objects if o.tag.endswith("ExtrinsicObject")]) == 2


def test_a_client_of_another_hand_sees_the_newest_alone(shared_server: RunningServer) -> None:
    """By zeep, to a server that runs."""
    region, who, study = Region(shared_server, ""), person(), new_uid()
    exported = []
    for hour in (0, 1):
        instances = tuple(Instance(CT, new_uid()) for _ in range(hour + 1))
        exported.append(
            build_manifest(
                StudyDescription(study, ELSEWHERE, series=(Series(new_uid(), "CT", instances=instances),)),
                sop_instance_uid=new_uid(),
                series_instance_uid=new_uid(),
                patient=PatientDetails(who.cx),
                retrieve_location_uid=ELSEWHERE,
                retrieve_url="",
                now=NOON + timedelta(hours=hour),
            )
        )
        answer = region.provide(manifest_document(who, exported[-1], study))
        assert answer.status == ResponseStatus.SUCCESS, answer
    assert len(region.documents_of(who)) == len(region.documents_of(who, Status.DEPRECATED)) == 1
    (found,) = region.search("ImagingStudy", patient__identifier=who.token)
    assert found["numberOfInstances"] == 2
