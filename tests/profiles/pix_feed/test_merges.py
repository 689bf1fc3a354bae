"""A merge moves nothing and is followed at once on every face; an unmerge restores what was."""

from typing import Any

import pytest
from feed_world import ANNA, BO, CILLA, DAN, PNR, FeedWorld, a01, a37, a40, adt, number, opened, pid
from wire.soap_world import RIM

from registry.access import Caller
from registry.metadata.model import Series, StudyDescription
from registry.metadata.urn import IdentificationScheme, ReferenceIdType, Status, StoredQueryId

UNKNOWN = "XDSUnknownPatientId"


def owners(answer: Any) -> set[str]:
    """The patientIds that an answer shows."""
    return {
        e.get("value")
        for e in answer.body.iter(f"{RIM}ExternalIdentifier")
        if e.get("identificationScheme")
        in (
            IdentificationScheme.DOCUMENT_PATIENT_ID,
            IdentificationScheme.SUBMISSION_SET_PATIENT_ID,
            IdentificationScheme.FOLDER_PATIENT_ID,
        )
    }


def ids(answer: Any) -> set[str]:
    return {e.get("id") for e in answer.objects}


def submitted(world: FeedWorld, patient: str, **more: Any) -> Any:
    answer, made = world.submit(patient, **more)
    assert answer.outcome == "Success", answer.text
    return made.entries[0]


def snapshot(world: FeedWorld, *patients: str) -> Any:
    """What is found by each id, on SOAP and FHIR, and how it looks."""
    seen = []
    for patient in patients:
        answer = world.documents(patient)
        seen.append((sorted(ids(answer)), sorted(owners(answer))))
        bundle = world.fhir(f"DocumentReference?patient.identifier=urn:oid:{patient.split('&')[1]}|{number(patient)}")
        seen.append(sorted((e["resource"]["id"], str(e["resource"]["subject"])) for e in bundle.get("entry", ())))
        one = world.patient(patient)
        seen.append({key: one[key] for key in one if key != "meta"})
    return seen


def test_queries_by_either_id_find_all_and_show_the_survivor(world: FeedWorld) -> None:
    world.feed(a01(ANNA), a01(BO))
    old, new = submitted(world, ANNA), submitted(world, BO)
    world.feed(a40(BO, ANNA))
    for patient in (ANNA, BO):
        answer = world.documents(patient)
        assert ids(answer) == {old.id, new.id}
        assert owners(answer) == {BO}
        assert ids(world.documents(patient, "ObjectRef")) == {old.id, new.id}
        sets = world.find(StoredQueryId.FIND_SUBMISSION_SETS, patient)
        assert len(sets.objects) == 2
        assert owners(sets) == {BO}


def test_several_documents_of_the_group_are_one_patients(world: FeedWorld) -> None:
    old, new = submitted(world, ANNA), submitted(world, BO)
    both = ("$XDSDocumentEntryEntryUUID", f"('{old.id}','{new.id}')")
    assert world.ask(StoredQueryId.GET_DOCUMENTS, both).codes == ["XDSResultNotSinglePatient"]
    world.feed(a40(BO, ANNA))
    answer = world.ask(StoredQueryId.GET_DOCUMENTS, both)
    assert ids(answer) == {old.id, new.id}
    assert owners(answer) == {BO}
    one = world.ask(StoredQueryId.GET_DOCUMENTS, ("$XDSDocumentEntryEntryUUID", f"('{old.id}')"))
    assert owners(one) == {BO}


def test_every_query_by_patient_follows(world: FeedWorld) -> None:
    old, new = submitted(world, ANNA), submitted(world, BO)
    world.feed(a40(BO, ANNA))
    approved = f"('{Status.APPROVED}')"
    for patient in (ANNA, BO):
        kinds = ("DocumentEntryStatus", "SubmissionSetStatus", "FolderStatus")
        everything = world.ask(
            StoredQueryId.GET_ALL, ("$patientId", f"'{patient}'"), *((f"$XDS{kind}", approved) for kind in kinds)
        )
        assert {old.id, new.id} <= ids(everything)
        assert owners(everything) == {BO}
        reference = old.reference_ids[0]
        answer = world.ask(
            StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID,
            ("$XDSDocumentEntryPatientId", f"'{patient}'"),
            ("$XDSDocumentEntryReferenceIdList", f"('{reference}')"),
            ("$XDSDocumentEntryStatus", approved),
        )
        assert ids(answer) == {old.id}
    contents = world.ask(StoredQueryId.GET_FOLDERS_FOR_DOCUMENT, ("$XDSDocumentEntryEntryUUID", f"'{old.id}'"))
    assert contents.outcome == "Success"


def test_nothing_is_moved(world: FeedWorld) -> None:
    old = submitted(world, ANNA)
    before = world.sql("SELECT patient_id, id FROM document_entry"), world.sql("SELECT patient_id FROM reference_id")
    world.feed(a40(BO, ANNA))
    assert before == (
        world.sql("SELECT patient_id, id FROM document_entry"),
        world.sql("SELECT patient_id FROM reference_id"),
    )
    assert before[0] == [(ANNA, old.id.removeprefix("urn:uuid:"))]


def test_an_unmerge_restores_exactly(world: FeedWorld) -> None:
    world.feed(a01(ANNA), a01(BO))
    submitted(world, ANNA)
    submitted(world, BO)
    before = snapshot(world, ANNA, BO)
    world.feed(a40(BO, ANNA))
    merged = snapshot(world, ANNA, BO)
    assert merged[0] == merged[3]
    assert merged != before
    world.feed(a37(BO, ANNA))
    assert snapshot(world, ANNA, BO) == before
    assert world.sql("SELECT count(*) FROM patient_link WHERE undone IS NULL") == [(0,)]
    world.feed(a40(BO, ANNA))
    assert snapshot(world, ANNA, BO) == merged


@pytest.mark.parametrize("event", ["A01", "A04", "A08"])
def test_what_is_told_of_a_merged_id_does_not_unmerge_it(world: FeedWorld, event: str) -> None:
    world.feed(a40(BO, ANNA), adt(event, pid(ANNA, "Ny^Namn")))
    one = world.patient(ANNA)
    assert one["active"] is False
    assert one["name"] == [{"family": "Ny", "given": ["Namn"]}]
    assert one["link"] == [{"other": {"reference": f"Patient/{world.patient(BO)['id']}"}, "type": "replaced-by"}]


def test_a_chain_is_followed_to_its_end_and_parted_where_it_is_told(world: FeedWorld) -> None:
    entries = {patient: submitted(world, patient).id for patient in (ANNA, BO, CILLA, DAN)}
    world.feed(a40(BO, ANNA), a40(CILLA, BO), a40(CILLA, DAN))
    assert ids(world.documents(ANNA)) == set(entries.values())
    assert owners(world.documents(DAN)) == {CILLA}
    survivor = world.patient(CILLA)
    assert {link["type"] for link in survivor["link"]} == {"replaces"}
    assert len(survivor["link"]) == 3
    world.feed(a37(CILLA, BO))
    assert ids(world.documents(ANNA)) == {entries[ANNA], entries[BO]}
    assert owners(world.documents(ANNA)) == {BO}
    assert ids(world.documents(CILLA)) == {entries[CILLA], entries[DAN]}
    world.feed(a37(ANNA, BO))
    assert ids(world.documents(ANNA)) == {entries[ANNA]}
    assert "link" not in world.patient(BO)


def test_a_merge_into_one_who_was_merged_away_ends_in_the_survivor(world: FeedWorld) -> None:
    old = submitted(world, ANNA)
    world.feed(a40(CILLA, BO), a40(BO, ANNA))
    assert ids(world.documents(CILLA)) == {old.id}
    world.feed(a37(CILLA, BO))
    assert ids(world.documents(CILLA)) == set()
    assert owners(world.documents(BO)) == {BO}


@pytest.mark.parametrize("last", [(ANNA, BO), (ANNA, CILLA), (DAN, ANNA)])
def test_cycles_and_second_survivors_are_refused(world: FeedWorld, last: tuple[str, str]) -> None:
    world.feed(a40(BO, ANNA), a40(CILLA, BO))
    before = world.sql("SELECT patient_id, survivor, version FROM patient ORDER BY id")
    (ack,) = world.hl7(a40(*last))
    assert ack.code == "AE", ack.raw
    assert "&205" in ack.raw or "^205" in ack.raw
    assert world.sql("SELECT patient_id, survivor, version FROM patient ORDER BY id") == before


def test_the_rest_of_a_refused_merge_is_not_done_either(world: FeedWorld) -> None:
    world.feed(a40(BO, ANNA))
    (ack,) = world.hl7(a40(CILLA, f"{DAN}~{ANNA}"))
    assert ack.code == "AE"
    assert world.rows_of("patient_link") == 1
    assert world.rows_of("patient") == 2


def test_nothing_may_be_submitted_for_a_merged_id(world: FeedWorld) -> None:
    world.feed(a40(BO, ANNA))
    before = world.rows_of("document_entry")
    answer, _ = world.submit(ANNA)
    assert answer.codes == [UNKNOWN]
    assert "surviving" in answer.text
    assert number(BO) not in answer.text
    assert world.rows_of("document_entry") == before
    world.feed(a37(BO, ANNA))
    submitted(world, ANNA)


def test_a_document_of_the_survivor_replaces_one_of_the_merged(world: FeedWorld) -> None:
    old = submitted(world, ANNA)
    answer, _ = world.submit(BO, replaces=old.id)
    assert "XDSPatientIdDoesNotMatch" in answer.codes
    world.feed(a40(BO, ANNA))
    new = submitted(world, BO, replaces=old.id)
    assert ids(world.documents(ANNA)) == {new.id}
    associations = world.ask(StoredQueryId.GET_ASSOCIATIONS, ("$uuid", f"('{old.id}')"))
    assert associations.outcome == "Success"


def test_fhir_follows_references_reads_and_versions(world: FeedWorld) -> None:
    old = submitted(world, ANNA)
    uuid = old.id.removeprefix("urn:uuid:")
    anna = world.patient(ANNA)["id"]
    tag = world.client.get(f"/fhir/DocumentReference/{uuid}").headers["ETag"]
    world.feed(a40(BO, ANNA))
    bo = world.patient(BO)["id"]
    for patient in (anna, bo):
        for kind in ("DocumentReference", "DiagnosticReport"):
            (entry,) = world.fhir(f"{kind}?patient=Patient/{patient}")["entry"]
            assert entry["resource"]["subject"]["reference"] == f"Patient/{bo}"
    token = f"urn:oid:{PNR}|{number(ANNA)}"
    for kind in ("DocumentReference", "DiagnosticReport"):
        for who in (f"patient=Patient/{bo}&patient.identifier={token}", f"patient=Patient/{bo}&subject=Patient/{anna}"):
            assert world.fhir(f"{kind}?{who}")["total"] == 1
    again = world.client.get(f"/fhir/DocumentReference/{uuid}", headers={"If-None-Match": tag})
    assert again.status_code == 200
    assert again.json["subject"]["reference"] == f"Patient/{bo}"
    assert world.fhir(f"DocumentReference?_id={uuid}")["entry"][0]["resource"]["subject"] == again.json["subject"]
    world.feed(a37(ANNA, BO))
    assert world.fhir(f"DocumentReference/{uuid}")["subject"]["reference"] == f"Patient/{anna}"


def test_reports_find_studies_of_the_merged(world: FeedWorld) -> None:
    """A study known for the old id and a report for the new one find each other through the merge alone."""
    study = StudyDescription("1.2.3.4.5", "1.2.9", ANNA, series=(Series("1.2.3.4.5.1", "CT"),))
    world.feed(a01(ANNA))
    world.house.registry._database.transact(
        lambda unit: world.house.registry.know_study(unit, study, Caller("t", "", "RAD-68"))
    )
    submitted(world, BO, reference_ids=(f"1.2.3.4.5^^^^{ReferenceIdType.STUDY_INSTANCE_UID}",))

    def shown() -> list[Any]:
        (entry,) = world.fhir(f"DiagnosticReport?patient=Patient/{world.patient(BO)['id']}")["entry"]
        return [study for study in entry["resource"].get("imagingStudy", []) if "reference" in study]

    assert shown() == []
    world.feed(a40(BO, ANNA))
    (link,) = shown()
    (entry,) = world.fhir(f"ImagingStudy?patient=Patient/{world.patient(BO)['id']}")["entry"]
    assert link["reference"] == f"ImagingStudy/{entry['resource']['id']}"
    world.feed(a37(BO, ANNA))
    assert shown() == []


def test_an_unmerged_patient_costs_no_look_of_its_own(world: FeedWorld) -> None:
    submitted(world, ANNA)
    asked: list[Any] = []
    rows = type(world.house.registry._database).rows

    def noting(self: Any, statement: Any, **params: Any) -> Any:
        asked.append(statement)
        return rows(self, statement, **params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(world.house.registry._database), "rows", noting)
        world.documents(ANNA)
    assert len(asked) == 1


# --- who is known ---


def test_with_known_only_whom_a_feed_told_of(strict: FeedWorld) -> None:
    answer, _ = strict.submit(ANNA)
    assert answer.codes == [UNKNOWN]
    strict.feed(a01(ANNA))
    submitted(strict, ANNA)
    strict.feed(a01(BO), a40(BO, ANNA))
    assert strict.submit(ANNA)[0].codes == [UNKNOWN]
    assert len(strict.documents(BO).objects) == 1


@pytest.mark.parametrize("unknown", [ANNA, BO])
def test_with_known_a_merge_of_an_unknown_id_is_refused(strict: FeedWorld, unknown: str) -> None:
    strict.feed(a01(BO if unknown == ANNA else ANNA))
    (ack,) = strict.hl7(a40(BO, ANNA))
    assert ack.code == "AE"
    assert "204" in ack.errors[0]
    assert strict.rows_of("patient_link") == 0
    assert strict.rows_of("patient") == 1


def test_open_and_a_merge_of_unknown_ids_makes_the_link(world: FeedWorld) -> None:
    world.feed(a40(BO, ANNA))
    assert world.sql("SELECT patient_id, survivor FROM patient ORDER BY patient_id") == [(ANNA, BO), (BO, BO)]


def test_who_was_taken_as_he_came_is_not_known_once_feeds_decide(sqlite: str, tmp_path: Any) -> None:
    with opened(sqlite, tmp_path) as world:
        submitted(world, ANNA)
    with opened(sqlite, tmp_path, affinity_domain={"patients": "known"}) as world:
        assert world.submit(ANNA)[0].codes == [UNKNOWN]
        world.feed(a01(ANNA))
        submitted(world, ANNA)
