"""A report and its patient's studies when things change: replaced, corrected, sent again for somebody else."""

import contextlib
import json
from dataclasses import replace
from itertools import pairwise

from keeping import ANNA, BO, CALLER, document, reference, relation, report, study, uid

from registry.identity import report_id
from registry.metadata.errors import Rejected
from registry.metadata.urn import AssociationType
from registry.queries import FindDocuments, FindResources, Page, ResourceType

REPORT = ResourceType.DIAGNOSTIC_REPORT
SHOWN = """
    SELECT d.status FROM diagnostic_report r JOIN document_entry d ON d.id = r.entry_id
    WHERE r.status IN ('final', 'amended')
"""


def body(kept, entry):
    return json.loads(kept.registry.read(REPORT, report_id(entry.unique_id), CALLER).body)


def current(kept):
    """Availability of the documents of all reports that say that they are valid."""
    return {status for (status,) in kept.sql(SHOWN)}


def test_one_document_for_two_patients_is_two_reports(kept):
    """Some senders give one document to both of two patients; neither's report may show the other's entry."""
    annas = report(title="for Anna")
    kept.submit(annas)
    with contextlib.suppress(Rejected):  # which would be another way out
        kept.submit(replace(report(patient=BO, title="for Bo"), unique_id=annas.unique_id))
    kept.policy.patients = frozenset({ANNA})
    assert body(kept, annas)["presentedForm"][0]["title"] == "for Anna"


def test_a_study_that_is_corrected_to_another_patient(kept):
    """The links follow: gone from whom it was wrongly given to, there for whom it belongs to."""
    annas, bos = report(reference("A1")), report(reference("A1"), patient=BO)
    kept.submit(annas)
    kept.submit(bos)
    described = study(uid(), accessions=(("A1", ""),))
    kept.know(described)
    kept.know(replace(described, patient_id=BO))
    assert [len(body(kept, entry).get("imagingStudy", ())) for entry in (annas, bos)] == [0, 1]


def test_one_report_replaces_two(kept):
    one, two, new = report(), report(), report()
    kept.submit(one)
    kept.submit(two)
    kept.submit(new, associations=tuple(relation(AssociationType.RPLC, new, old) for old in (one, two)))
    assert current(kept) == {"Approved"}


def test_a_report_replaced_by_what_is_no_report(kept):
    old = report()
    kept.submit(old)
    kept.replace(document(), old)
    assert current(kept) <= {"Approved"}


def test_an_addendum_goes_with_what_it_was_added_to(kept):
    old, addendum = report(), report()
    kept.submit(old)
    kept.replace(addendum, old, AssociationType.APND)
    kept.replace(report(), old)
    assert current(kept) == {"Approved"}


def test_the_same_report_again_for_its_patient_is_the_same_report(kept):
    first = report(title="first")
    kept.submit(first)
    again = replace(report(title="again"), unique_id=first.unique_id)
    kept.submit(again)
    assert kept.counts()["diagnostic_report"] == 1
    assert body(kept, first)["presentedForm"][0]["title"] == "again"


def test_a_replaced_report_sent_again_takes_nothing_from_its_replacement(kept):
    """The report has gone on to the newer document; the old one, registered once more, is a report beside it."""
    old, new = report(title="old"), report(title="new")
    kept.submit(old)
    kept.replace(new, old)
    kept.submit(replace(report(title="old again"), unique_id=old.unique_id))
    assert current(kept) == {"Approved"}
    found = kept.registry.search(FindResources(REPORT, patient_ids=(ANNA,)), CALLER).items
    titles = {json.loads(one.body)["presentedForm"][0]["title"]: one.status for one in found}
    assert titles == {"new": "amended", "old again": "final"}


def test_a_replacement_sent_again_is_still_the_amended_report(kept):
    old, new = report(title="old"), report(title="new")
    kept.submit(old)
    kept.replace(new, old)
    kept.submit(replace(report(title="new again"), unique_id=new.unique_id))
    (found,) = kept.registry.search(FindResources(REPORT, patient_ids=(ANNA,)), CALLER).items
    assert (found.id, found.status, found.version) == (report_id(old.unique_id), "amended", 3)
    assert json.loads(found.body)["presentedForm"][0]["title"] == "new again"


def test_two_reports_replace_one(kept):
    """The first of them is the amended report, the other is one of its own; both are there."""
    old, one, two = report(), report(), report()
    kept.submit(old)
    kept.submit(one, two, associations=tuple(relation(AssociationType.RPLC, new, old) for new in (one, two)))
    found = kept.registry.search(FindResources(REPORT, patient_ids=(ANNA,)), CALLER).items
    assert {(item.id, item.status) for item in found} == {
        (report_id(old.unique_id), "amended"),
        (report_id(two.unique_id), "final"),
    }
    assert kept.statuses(old, one, two) == ["Deprecated", "Approved", "Approved"]


def test_an_amended_report_can_be_amended_again(kept):
    versions = [report(title=str(n)) for n in range(4)]
    kept.submit(versions[0])
    for old, new in pairwise(versions):
        kept.replace(new, old)
    found = kept.registry.read(REPORT, report_id(versions[0].unique_id), CALLER)
    assert (found.status, found.version) == ("amended", 4)
    assert json.loads(found.body)["presentedForm"][0]["title"] == "3"


def test_rows_that_come_while_somebody_turns_the_pages_repeat_nothing(kept):
    """A page goes on after the last that was seen: what is newer would have been before the first page."""
    wanted = []
    for _ in range(5):
        kept.time += 1
        wanted.append(kept.submit(document()).entries[0].id)
    seen, after = [], None
    while True:
        page = kept.registry.find_document_references(FindDocuments(ANNA, page=Page(2, after)), CALLER)
        seen += [f"urn:uuid:{item.id}" for item in page.items]
        kept.time += 1
        kept.submit(document())
        after = page.next
        if after is None:
            break
    assert seen == wanted[::-1]
