"""Synthetic metadata is valid, as large as real metadata, and the same from the same seed."""

import random
import re

from conformance import synthetic
from profiles.document_sharing.submission import REGISTER, findings
from profiles.faces import ebrim_write
from registry.metadata.datatypes import Cx
from registry.metadata.identify import bare_uuid
from registry.patients import details_of
from registry.reports import is_report


def some(seed, number=20, documents=2):
    rng = random.Random(seed)
    return [synthetic.submission(rng, synthetic.patient_id(n), documents) for n in range(number)]


def test_every_submission_passes_the_rules():
    for one in some(1, 50, 3):
        assert list(findings(one, REGISTER)) == []


def test_the_seed_decides_everything():
    assert some(7) == some(7)
    assert some(7) != some(8)


def test_nothing_is_there_twice():
    submissions = some(2, 100)
    ids = [o.id for one in submissions for o in one.objects()]
    uids = [o.unique_id for one in submissions for o in one.holders()]
    assert len(set(ids)) == len(ids)
    assert len(set(uids)) == len(uids)


def test_patients_are_numbered_and_of_a_century_that_nobody_living_was_born_in():
    ids = [synthetic.patient_id(n) for n in (0, 1, 20_000_000)]
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"18\d{10}", Cx.parse(id_).value) for id_ in ids)


def test_entries_are_reports_that_say_who_the_patient_is():
    for one in some(3):
        for entry in one.entries:
            assert is_report(entry, ())
            details = details_of(entry)
            assert all((details.family, details.given, details.birth_date, details.sex))
            assert len(entry.reference_ids) == 2


def test_a_body_is_as_large_as_a_real_one():
    sizes = [len(ebrim_write.body(synthetic.bare(one.entries[0]))) for one in some(4)]
    assert min(sizes) > 5_000
    assert max(sizes) < 9_000


def test_bare_is_as_it_is_stored():
    entry = some(5)[0].entries[0]
    assert synthetic.bare(entry).id == bare_uuid(entry.id)
