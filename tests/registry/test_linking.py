"""Reports and studies find each other by identifiers, whichever came first; and the searches of FHIR."""

import json

import pytest
from keeping import ACCESSION, ANNA, BO, CALLER, CODE, REPORT, STUDY_UID, document, reference, report, study, uid

from registry.identity import report_id, study_id
from registry.metadata.model import Code
from registry.metadata.urn import AssociationType, ReferenceIdType
from registry.queries import FindDocuments, FindResources, Page, ReferenceId, ResourceType

STUDY, REPORT_TYPE = ResourceType.IMAGING_STUDY, ResourceType.DIAGNOSTIC_REPORT


def search(kept, type_, **asked):
    return kept.registry.search(FindResources(type_, **asked), CALLER)


def read(kept, entry):
    return kept.registry.read(REPORT_TYPE, report_id(entry.unique_id), CALLER)


def linked(kept, entry):
    """FHIR ids of the studies that the report of `entry` says it reports on; by reading and by searching alike."""
    by_read = json.loads(read(kept, entry).body)
    (item,) = search(kept, REPORT_TYPE, ids=(report_id(entry.unique_id),)).items
    assert json.loads(item.body) == by_read
    named = [one.get("reference", "") for one in by_read.get("imagingStudy", [])]
    return {one.removeprefix("ImagingStudy/") for one in named if one}


def fhir_id(described):
    return study_id(described.uid, described.source)


@pytest.fixture(params=["report first", "study first"])
def both(request, kept):
    """Brings a report and studies in both orders."""

    def run(entry, *studies):
        steps = [lambda: kept.submit(entry), *(lambda s=s: kept.know(s) for s in studies)]
        for step in steps if request.param == "report first" else reversed(steps):
            kept.time += 1
            step()
            if kept.counts().get("diagnostic_report"):
                linked(kept, entry)  # whatever is rendered in between must not stay

    return run


# --- the link ---


@pytest.mark.parametrize("ours", ["1.9", ""])
@pytest.mark.parametrize("theirs", ["1.9", ""])
def test_by_accession_and_its_authority_which_either_may_leave_out(kept, both, ours, theirs):
    entry, described = report(reference("A1", authority=ours)), study(uid(), accessions=(("A1", theirs),))
    both(entry, described, study(uid(), accessions=(("A2", theirs),)))
    assert linked(kept, entry) == {fhir_id(described)}


def test_not_by_an_accession_of_another_authority(kept, both):
    entry = report(reference("A1", authority="1.9"))
    both(entry, study(uid(), accessions=(("A1", "1.8"),)))
    assert linked(kept, entry) == set()


def test_not_by_equal_text_of_another_kind(kept, both):
    entry = report(reference("A1"))
    both(entry, study(uid(), orders=(("A1", ""),)))
    assert linked(kept, entry) == set()


def test_never_to_another_patient(kept, both):
    described = study(uid(), patient=BO, accessions=(("A1", "1.9"),))
    entry = report(reference("A1", authority="1.9"), reference(described.uid, STUDY_UID))
    both(entry, described)
    assert linked(kept, entry) == set()


def test_never_to_a_study_without_a_patient(kept, both):
    described = study(uid(), patient=None, accessions=(("A1", ""),))
    entry = report(reference("A1"), reference(described.uid, STUDY_UID))
    both(entry, described)
    assert linked(kept, entry) == set()


def test_by_study_uid_and_order_and_to_many_once_each(kept, both):
    one, two, three = study(uid(), accessions=(("A1", ""),)), study(uid(), orders=(("O1", ""),)), study(uid())
    ids = (reference(one.uid, STUDY_UID), reference("A1"), reference("O1", ReferenceIdType.ORDER))
    entry = report(*ids)
    both(entry, one, two, three)
    assert linked(kept, entry) == {fhir_id(one), fhir_id(two)}
    assert len(json.loads(read(kept, entry).body)["imagingStudy"]) == 2


def test_a_study_at_two_sources_is_two(kept, both):
    held, copied = (study("1.2.3.77", source=source) for source in ("1.2.7", "1.2.8"))
    entry = report(reference("1.2.3.77", STUDY_UID))
    both(entry, held, copied)
    assert linked(kept, entry) == {fhir_id(held), fhir_id(copied)}


# --- stale bodies ---


def test_a_new_study_makes_the_report_newer_and_only_that_one(kept):
    entry, other = report(reference("A1")), report(reference("A2"))
    kept.submit(entry)
    kept.submit(other)
    before = read(kept, entry), read(kept, other)
    kept.time += 60
    described = study(uid(), accessions=(("A1", ""),))
    kept.know(described)
    after = read(kept, entry), read(kept, other)
    assert (after[0].version, after[0].updated) == (before[0].version + 1, kept.time)
    assert after[1] == before[1]
    kept.time += 60
    kept.know(described)
    assert read(kept, entry).version == after[0].version, "the same study again brings no new identifier"


def test_a_rendered_body_is_kept(kept):
    entry = report(reference("A1"))
    kept.submit(entry)
    assert kept.sql("SELECT fhir FROM diagnostic_report") == [(None,)]
    body = read(kept, entry).body
    assert kept.sql("SELECT fhir FROM diagnostic_report") != [(None,)]
    assert read(kept, entry).body == body


def test_a_held_study_is_rendered_of_what_is_held_when_it_is_read(kept):
    one = study(uid())
    kept.touch(one)
    first = kept.registry.read(STUDY, fhir_id(one), CALLER)
    assert [s["modality"]["code"] for s in json.loads(first.body)["series"]] == ["CT"]
    kept.touch(study(one.uid, modality="MR"), ("MR",))
    again = kept.registry.read(STUDY, fhir_id(one), CALLER)
    assert [s["modality"]["code"] for s in json.loads(again.body)["series"]] == ["MR"]
    assert again.version == first.version + 1


def test_a_manifest_does_not_overwrite_a_held_study(kept):
    one = study(uid(), accessions=(("A1", ""),))
    kept.touch(one)
    kept.know(study(one.uid, modality="PR"), manifest_id="m")
    assert kept.sql("SELECT origin, modalities, manifest_id FROM imaging_study") == [("held", "|CT|", "m")]


# --- a report through its versions ---


def test_a_replacement_keeps_the_id_and_amends(kept):
    described = study(uid(), accessions=(("A1", ""), ("A2", "")))
    kept.know(described)
    old, new = report(reference("A1"), title="old"), report(reference("A2"), title="new")
    kept.submit(old)
    first = read(kept, old)
    kept.time += 60
    kept.replace(new, old)
    again = read(kept, old)
    assert (first.status, again.status, again.id, again.version) == ("final", "amended", first.id, first.version + 1)
    assert json.loads(again.body)["presentedForm"][0]["title"] == "new"
    assert kept.counts()["diagnostic_report"] == 1
    assert linked(kept, old) == {fhir_id(described)}


@pytest.mark.parametrize("type_", [AssociationType.APND, AssociationType.XFRM])
def test_an_addendum_is_a_report_of_its_own(kept, type_):
    old, new = report(reference("A1")), report(reference("A1"))
    kept.submit(old)
    kept.replace(new, old, type_)
    assert [read(kept, entry).status for entry in (old, new)] == ["final", "final"]


def test_what_is_no_report_is_none(kept):
    kept.submit(document())
    kept.submit(report(reference("A1"), mime_type="application/dicom"))
    assert search(kept, REPORT_TYPE).total == 0


# --- searches ---


def pages(find, size):
    """All ids, a page at a time, and the totals that the pages told."""
    ids, totals, after = [], [], None
    while True:
        found = find(Page(size, after))
        ids.append([item.id for item in found.items])
        totals.append(found.total)
        after = found.next
        if after is None:
            return ids, totals


@pytest.fixture
def region(kept):
    """Seven studies and seven reports of Anna, some at the same second, and one of Bo."""
    for number in range(7):
        kept.time += number % 2
        modality = ("CT", "MR", "C_")[number % 3]
        started = f"2024010{number + 1}"
        kept.know(study(uid(), modality=modality, started=started, accessions=((f"A{number}", "1.9"),)))
        changes = {"type_code": Code("other", REPORT.scheme)} if number == 6 else {}
        kept.submit(report(reference(f"A{number}"), service_start_time=started, **changes))
    kept.know(study(uid(), patient=BO))
    kept.submit(report(reference("B"), patient=BO))
    return kept


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_pages_hold_everything_once(region, size):
    finds = [
        lambda page: region.registry.find_document_references(FindDocuments(ANNA, page=page), CALLER),
        *(lambda page, t=t: search(region, t, patient_ids=(ANNA,), page=page) for t in (STUDY, REPORT_TYPE)),
    ]
    for find in finds:
        ids, totals = pages(find, size)
        flat = [id_ for page in ids for id_ in page]
        assert len(flat) == len(set(flat)) == 7
        assert all(len(page) == size for page in ids[:-1])
        assert set(totals) == {7}
        everything = find(None).items
        assert [item.id for item in everything] == flat
        assert [item.updated for item in everything] == sorted((i.updated for i in everything), reverse=True)


ONE = ({"identifiers": ((ReferenceId("A1"),),)}, 1)
SEARCHES = [
    (STUDY, {}, 8),
    (STUDY, {"patient_ids": ()}, 0),
    (STUDY, {"patient_ids": (ANNA, BO)}, 8),
    (STUDY, *ONE),
    (REPORT_TYPE, *ONE),
    (STUDY, {"identifiers": ((ReferenceId("A1", ACCESSION, "1.9"), ReferenceId("A2")),)}, 2),
    (STUDY, {"identifiers": ((ReferenceId("A1"),), (ReferenceId("A2"),))}, 0),
    (STUDY, {"identifiers": ((ReferenceId("A1", authority="1.8"),),)}, 0),
    (STUDY, {"modalities": ("MR",)}, 2),
    (STUDY, {"modalities": ("MR", "C_")}, 4),
    (STUDY, {"modalities": ("C",)}, 0),
    (STUDY, {"modalities": ("C_",)}, 2),
    (STUDY, {"modalities": ("%",)}, 0),
    (STUDY, {"date_from": "20240102000000", "date_to": "20240104000000"}, 2),
    (REPORT_TYPE, {"date_from": "20240102000000", "date_to": "20240104000000"}, 2),
    (REPORT_TYPE, {"codes": (REPORT.key,)}, 7),
    (REPORT_TYPE, {"codes": (REPORT.key, f"other^^{REPORT.scheme}")}, 8),
    (REPORT_TYPE, {"codes": (CODE.key,)}, 0),
    (REPORT_TYPE, {"statuses": ("amended",)}, 0),
]


def test_searches(region):
    wrong = [(t, asked, n, f) for t, asked, n in SEARCHES if (f := search(region, t, **asked).total) != n]
    assert wrong == [], "(type, question, expected, found)"


def test_last_updated_is_inclusive_then_exclusive(region):
    times = [item.updated for item in search(region, STUDY, patient_ids=(ANNA,)).items]
    for type_ in (STUDY, REPORT_TYPE):
        for at in set(times):
            found = search(region, type_, patient_ids=(ANNA,), updated_from=at, updated_to=at + 1)
            assert found.total == times.count(at)
        assert search(region, type_, updated_to=min(times)).total == 0
