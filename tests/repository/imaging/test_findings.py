"""Objects that contradict what is held: kept aside, told, decided on by people; on both engines."""

import json
from dataclasses import replace

import pytest
from holding import CALLER, HERE, OTHER, PATIENT, PNR, STUDY, Holding, ct
from sqlalchemy import select

from database.statement import Statement
from database.tables import AUDIT
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import StudyDescription
from repository import fsck
from repository.findings import OPEN, RESOLVED, FindingKind, Resolution
from repository.imaging.matching import matches_of
from repository.imaging.query import DicomQuery, Level
from repository.store.tables import DOCUMENT

SOMEBODY = f"201010102383^^^&{PNR}&ISO"
KINDS = {
    FindingKind.TWO_PATIENTS: {"number": 2, "PatientID": "201010102383"},
    FindingKind.TWO_CONTENTS: {"StudyDescription": "Abdomen"},
    FindingKind.OTHER_ISSUER: {"number": 2, "IssuerOfPatientID": "elsewhere"},
    FindingKind.UNKNOWN_ISSUER: {"number": 2, "IssuerOfPatientID": "nobody's"},
}


@pytest.fixture
def holding(database_url, tmp_path):
    return Holding(database_url, tmp_path, replace(HERE, patient_issuers={"elsewhere": OTHER}))


def told(holding, data):
    (outcome,) = holding.store(data)
    assert outcome.finding is not None
    return outcome.finding


def instances(holding):
    query = DicomQuery(Level.INSTANCE, matches_of(Level.INSTANCE, [("StudyInstanceUID", STUDY)]))
    return [match["00080018"]["Value"][0] for match in holding.imaging.find_instances(query, CALLER).matches]


def one_finding(holding):
    (finding,) = holding.imaging.findings.find()
    return finding


def stored(holding, uid=f"{STUDY}.1.1"):
    (held,) = holding.imaging.instances(CALLER, STUDY, f"{STUDY}.1", uid)
    with holding.imaging.open(held) as file:
        return file.read()


def damage(holding):
    found = fsck.check(holding.database, holding.blobs, grace=0).problems
    return [problem for problem in found if problem.kind is not fsck.Kind.OUTBOX]


def audited(holding):
    rows = holding.database.rows(Statement(select(AUDIT.c.record)))
    return [json.loads(row[0])["detail"] for row in rows]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_contradicts_is_kept_aside_and_shown_to_nobody(holding, kind):
    first, newcomer = ct(), ct(**KINDS[kind])
    holding.kept(first)
    finding = told(holding, newcomer)
    kept = one_finding(holding)
    assert (kept.kind, kept.state, kept.size) == (kind, OPEN, len(newcomer))
    assert kept.id in finding.text
    assert "shown to nobody" in finding.text
    with holding.blobs.open(kept.sha256) as file:
        assert file.read() == newcomer
    assert instances(holding) == [f"{STUDY}.1.1"]
    assert stored(holding) == first
    assert damage(holding) == []


def test_no_sender_is_told_whose_a_study_is(holding):
    holding.kept(ct())
    for attributes in KINDS.values():
        assert "191212121212" not in told(holding, ct(**attributes)).text


def test_a_number_of_an_unknown_issuer_is_found_with_those_who_have_it(holding):
    holding.kept(ct())
    told(holding, ct("1.2.3.4.9", IssuerOfPatientID="nobody's"))
    assert set(one_finding(holding).patients) == {PATIENT, "191212121212^^^nobody's"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_same_object_again_changes_nothing(holding, kind):
    holding.kept(ct())
    newcomer = ct(**KINDS[kind])
    first = told(holding, newcomer)
    assert told(holding, newcomer) == first
    kept = one_finding(holding)
    assert kept.times == 2
    holding.imaging.decisions.keep(kept.id, CALLER, "a copy")
    assert told(holding, newcomer) == first
    after = one_finding(holding)
    assert (after.state, after.resolution, after.times, after.kept) == (RESOLVED, Resolution.KEEP, 3, False)
    with pytest.raises(KeyError):
        holding.blobs.open(kept.sha256)
    assert damage(holding) == []


def test_what_is_kept_out_goes_to_quarantine_with_its_bytes(holding):
    holding.kept(ct())
    newcomer = ct(StudyDescription="Abdomen")
    told(holding, newcomer)
    finding = one_finding(holding)
    holding.imaging.decisions.keep(finding.id, CALLER, "a copy")
    (quarantined,) = [file for file in holding.blobs._root.glob("quarantine/*") if file.read_bytes() == newcomer]
    assert finding.sha256 in quarantined.name
    assert f"finding {finding.id}: KEEP" in audited(holding)


def test_bytes_that_something_else_names_stay_where_they_are(holding):
    holding.kept(ct())
    newcomer = ct(number=2, PatientID="201010102383")
    told(holding, newcomer)
    finding = one_finding(holding)
    incoming = holding.blobs.receive([newcomer])
    holding.blobs.keep(incoming)
    row = dict.fromkeys((column.name for column in DOCUMENT.c), "x") | {
        "sha256": finding.sha256,
        "size": 1,
        "stored": 1.0,
    }
    holding.database.transact(lambda unit: unit.insert(DOCUMENT, [row]))
    holding.imaging.decisions.keep(finding.id, CALLER, "a copy")
    holding.blobs.open(finding.sha256).close()


def test_an_accepted_object_takes_the_place_of_the_held_one_and_can_be_taken_back(holding):
    old, new = ct(), ct(StudyDescription="Abdomen", WindowCenter="40")
    holding.kept(old, ct(number=2))
    published = holding.imaging.publish(STUDY, CALLER)
    told(holding, new)
    finding = one_finding(holding)
    holding.imaging.decisions.accept(finding.id, CALLER, "the modality was set right")
    assert stored(holding) == new
    assert instances(holding) == [f"{STUDY}.1.1", f"{STUDY}.1.2"]
    assert damage(holding) == []
    assert holding.imaging.publish(STUDY, CALLER).document_unique_id != published.document_unique_id
    assert holding.store(new)[0].finding is None
    (before,) = [one for one in holding.imaging.findings.find() if one.id != finding.id]
    assert (before.resolution, before.kept, before.size) == (Resolution.REPLACED, True, len(old))
    assert told(holding, old).code is ErrorCode.DicomConflict
    holding.imaging.decisions.accept(before.id, CALLER, "it was right before")
    assert stored(holding) == old
    assert damage(holding) == []


def test_an_object_of_another_study_or_patient_cannot_take_the_place(holding):
    holding.kept(ct(), ct("1.2.3.4.2"))
    for wrong in ({"SeriesInstanceUID": f"{STUDY}.7"}, {"PatientID": "201010102383"}):
        told(holding, ct(**wrong))
    for finding in holding.imaging.findings.find():
        with pytest.raises(Rejected, match="can only be kept out"):
            holding.imaging.decisions.accept(finding.id, CALLER, "why not")
    assert stored(holding) == ct()


def test_an_object_is_taken_as_its_studys_patient_and_shows_no_other(holding):
    holding.kept(ct())
    newcomer = ct(number=2, PatientID="201010102383", PatientName="Wrong^Name", AccessionNumber="A1")
    told(holding, newcomer)
    holding.imaging.decisions.accept(one_finding(holding).id, CALLER, "typed wrongly")
    held = holding.imaging.instances(CALLER, STUDY)
    assert {one.patient_id for one in held} == {PATIENT}
    for one in held:
        shown = json.loads(holding.imaging.metadata(one))
        assert shown["00100020"]["Value"] == ["191212121212"]
        assert shown["00100010"]["Value"] == [{"Alphabetic": "Tolvansson^Tolvan"}]
    assert stored(holding, f"{STUDY}.1.2") == newcomer
    query = DicomQuery(Level.INSTANCE, matches_of(Level.INSTANCE, [("PatientID", "191212121212")]), frozenset({"all"}))
    found = holding.imaging.find_instances(query, CALLER).matches
    assert len(found) == 2
    assert "201010102383" not in json.dumps(found)
    assert "Wrong" not in json.dumps(found)


def test_an_object_of_an_unknown_issuer_is_taken_for_a_patient_and_the_rest_of_its_study_follows(holding):
    first, second = (ct("1.2.3.4.9", number=n, IssuerOfPatientID="nobody's") for n in (1, 2))
    told(holding, first)
    finding = one_finding(holding)
    with pytest.raises(Rejected, match="for which patient"):
        holding.imaging.decisions.accept(finding.id, CALLER, "yes")
    holding.imaging.decisions.take_for(finding.id, SOMEBODY, CALLER, "asked the ward")
    holding.kept(second)
    held = holding.imaging.instances(CALLER, "1.2.3.4.9")
    assert [one.patient_id for one in held] == [SOMEBODY, SOMEBODY]
    assert all(json.loads(holding.imaging.metadata(one))["00100020"]["Value"] == ["201010102383"] for one in held)
    assert all("nobody's" not in holding.imaging.metadata(one).decode() for one in held)


def test_nothing_is_taken_for_another_patient_than_the_studys(holding):
    holding.kept(ct())
    told(holding, ct(number=2, PatientID="201010102383"))
    with pytest.raises(Rejected, match="held for another patient"):
        holding.imaging.decisions.take_for(one_finding(holding).id, SOMEBODY, CALLER, "no")
    assert instances(holding) == [f"{STUDY}.1.1"]


def test_a_finding_without_an_object_is_closed_and_one_with_is_not(holding):
    add = holding.imaging.findings.add
    id_ = holding.database.transact(
        lambda unit: add(unit, FindingKind.REFERENCES_DIFFER, patient_ids=(), object_uid="1.2", text="they differ")
    )
    with pytest.raises(Rejected, match="can only be closed"):
        holding.imaging.decisions.keep(id_, CALLER, "x")
    with pytest.raises(Rejected, match="why"):
        holding.imaging.decisions.close(id_, CALLER, " ")
    holding.imaging.decisions.close(id_, CALLER, "told the sender")
    with pytest.raises(Rejected, match="decided already"):
        holding.imaging.decisions.close(id_, CALLER, "again")
    holding.kept(ct())
    told(holding, ct(StudyDescription="Abdomen"))
    (kept,) = holding.imaging.findings.find(state=OPEN)
    with pytest.raises(Rejected, match="keeps an object aside"):
        holding.imaging.decisions.close(kept.id, CALLER, "x")
    assert holding.imaging.findings.counts() == {
        (FindingKind.REFERENCES_DIFFER, RESOLVED): 1,
        (FindingKind.TWO_CONTENTS, OPEN): 1,
    }


def test_the_open_ones_are_listed_first_and_by_what_is_asked(holding):
    holding.kept(ct())
    for attributes in KINDS.values():
        told(holding, ct(**attributes))
    findings = holding.imaging.findings
    first = findings.find()[0]
    holding.imaging.decisions.keep(first.id, CALLER, "x")
    assert [one.state for one in findings.find()] == [OPEN, OPEN, OPEN, RESOLVED]
    assert findings.find(kind=FindingKind.TWO_PATIENTS)[0].kind is FindingKind.TWO_PATIENTS
    assert len(findings.find(study_uid=STUDY, limit=2)) == 2
    assert findings.find(study_uid="1.2") == []


def test_what_is_kept_aside_and_lost_is_damage(holding):
    holding.kept(ct())
    told(holding, ct(StudyDescription="Abdomen"))
    finding = one_finding(holding)
    holding.blobs.set_aside(finding.sha256)
    assert [problem.kind for problem in damage(holding)] == [fsck.Kind.MISSING]
    with pytest.raises(Rejected, match="sending it again mends it"):
        holding.imaging.decisions.accept(finding.id, CALLER, "x")
    told(holding, ct(StudyDescription="Abdomen"))
    assert damage(holding) == []


def test_a_study_from_two_sources_is_a_finding_and_nothing_is_refused(holding):
    holding.registrar.known.append((StudyDescription(STUDY, "1.2.3.99", patient_id=SOMEBODY), None))
    holding.kept(ct())
    finding = one_finding(holding)
    assert (finding.kind, finding.kept, set(finding.patients)) == (FindingKind.TWO_SOURCES, False, {PATIENT, SOMEBODY})
    assert "1.2.3.99" in finding.text
