"""Patients: taken as they come, known by what was last said of them, found by their names."""

import json
import threading
from itertools import pairwise

import pytest
from keeping import ANNA, BO, CALLER, PNR, document, report, value_of

from profiles.composition import RENDERERS
from registry import merges
from registry.identities import Merge, Tell, Unmerge, apply
from registry.metadata.errors import ErrorCode, Rejected
from registry.metadata.model import PatientDetails
from registry.patients import Admission, Told, details_of
from registry.queries import FindResources, ReferenceId, ResourceType

WHO = "family, given, birth_date, sex"


def know(kept, patient=ANNA, **said):
    kept.database.transact(lambda unit: kept.registry.know_patient(unit, PatientDetails(patient, **said), CALLER))


def known(kept):
    return kept.sql(f"SELECT {WHO}, version FROM patient ORDER BY patient_id DESC")


def found(kept, **asked):
    search = FindResources(ResourceType.PATIENT, **asked)
    ids = {item.id for item in kept.registry.search(search, CALLER).items}
    return {value for value, id_ in kept.sql("SELECT value, id FROM patient") if id_ in ids}


def test_an_empty_value_says_nothing(kept):
    know(kept, family="Ek", birth_date="1912")
    know(kept, given="Anna", sex="F")
    know(kept)
    assert known(kept) == [("Ek", "Anna", "1912", "F", 2)]
    know(kept, family="Al")
    assert known(kept) == [("Al", "Anna", "1912", "F", 3)]


def test_the_id_stays_and_does_not_tell_who_it_is(kept):
    know(kept, family="Ek")
    before = kept.sql("SELECT id FROM patient")
    know(kept, family="Al")
    assert kept.sql("SELECT id FROM patient") == before
    assert value_of(ANNA) not in before[0][0]
    resource = kept.registry.read(ResourceType.PATIENT, before[0][0], CALLER)
    assert json.loads(resource.body)["name"][0]["family"] == "Al"
    assert kept.registry.patient_ids(before[0][0]) == (ANNA,)
    assert kept.registry.patient_ids("none") == ()


def test_an_unknown_authority_is_refused(kept):
    with pytest.raises(Rejected) as caught:
        know(kept, "1^^^&1.2.3&ISO")
    assert [f.code for f in caught.value.findings] == [ErrorCode.XDSUnknownPatientId]
    assert kept.counts() == {}


def tell(kept, patient=ANNA, deleted=(), **said):
    told = Tell((Told(PatientDetails(patient, **said), frozenset(deleted)),))
    kept.registry.identify(told, CALLER)


def test_a_feed_knows_better_than_who_submits(kept):
    know(kept, family="Ek", sex="F")
    tell(kept, family="Al", given="Anna")
    know(kept, family="Wrong", birth_date="1912")
    assert known(kept) == [("Al", "Anna", "1912", "F", 3)]
    tell(kept, given="Bo", deleted=("birth_date",))
    assert known(kept) == [("Al", "Bo", "", "F", 4)]


def test_what_a_feed_tells_keeps_the_other_identifiers(kept):
    kept.submit(document(source_patient_info=("PID-5|Ek^Anna",)))
    (entry,) = kept.registry.search(FindResources(ResourceType.PATIENT), CALLER).items
    assert len(json.loads(entry.body)["identifier"]) == 2
    tell(kept, family="Al")
    (entry,) = kept.registry.search(FindResources(ResourceType.PATIENT), CALLER).items
    assert len(json.loads(entry.body)["identifier"]) == 2
    assert json.loads(entry.body)["name"][0]["family"] == "Al"


@pytest.mark.parametrize("change", [Tell((Told(PatientDetails("1^^^&1.2.3&ISO")),)), Unmerge(ANNA, "1^^^&1.2.3&ISO")])
def test_a_feed_is_believed_about_the_domains_patients_alone(kept, change):
    with pytest.raises(Rejected) as caught:
        kept.registry.identify(change, CALLER)
    assert [f.code for f in caught.value.findings] == [ErrorCode.XDSUnknownPatientId]
    assert kept.counts() == {}


def test_long_chains_are_followed_and_parted(kept):
    ids = [f"18{n:010d}^^^&{PNR}&ISO" for n in range(30)]
    for one, other in pairwise(ids):
        kept.registry.identify(Merge(Told(PatientDetails(other)), (one,)), CALLER)
    assert set(merges.group_of(kept.database, ids[7]).ids) == set(ids)
    assert merges.group_of(kept.database, ids[7]).survivor == ids[-1]
    kept.registry.identify(Unmerge(ids[14], ids[15]), CALLER)
    assert set(merges.group_of(kept.database, ids[0]).ids) == set(ids[:15])
    assert merges.groups_of(kept.database, [ids[20], ids[3], "none"])["none"].ids == ("none",)
    assert merges.everyone(kept.database, (ids[3], ids[20])) != ()
    assert len(merges.everyone(kept.database, (ids[3], ids[20]))) == 30


CILLA = f"187712121212^^^&{PNR}&ISO"


def at_once(kept, first, second):
    """Do the first, and before it commits let the second come as far as it can."""
    late = threading.Thread(target=kept.registry.identify, args=(second, CALLER))

    def waiting():
        return kept.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")  # fmt: skip

    def work(unit):
        apply(unit, first, Admission((PNR,)), RENDERERS, CALLER, kept.time)
        late.start()
        # SQLite lets nobody in before the commit; on PostgreSQL the other must come to wait for us.
        while kept.database.dialect == "postgresql" and late.is_alive() and not waiting():
            late.join(0.01)

    kept.database.transact(work)
    late.join(30)
    assert not late.is_alive()


@pytest.mark.parametrize("told_first", [True, False])
@pytest.mark.parametrize("change", [Merge(Told(PatientDetails(BO)), (ANNA,)), Unmerge(ANNA, BO)], ids=type)
def test_what_is_told_of_the_last_survivor_during_a_merge_below_is_not_lost(kept, change, told_first):
    if isinstance(change, Unmerge):
        kept.registry.identify(Merge(Told(PatientDetails(BO)), (ANNA,)), CALLER)
    kept.registry.identify(Merge(Told(PatientDetails(CILLA, family="Ek")), (BO,)), CALLER)
    told = Tell((Told(PatientDetails(CILLA, family="Al")),))
    at_once(kept, *((told, change) if told_first else (change, told)))
    ids = {patient: id_ for id_, patient in kept.sql("SELECT id, patient_id FROM patient")}
    shown = json.loads(kept.registry.read(ResourceType.PATIENT, ids[CILLA], CALLER).body)
    assert shown["name"][0]["family"] == "Al"
    below = (ANNA, BO) if isinstance(change, Merge) else (BO,)
    others = {link["other"]["reference"].rpartition("/")[2] for link in shown["link"]}
    assert others == {ids[patient] for patient in below}


def test_an_identifier_of_whatever_authority(kept):
    know(kept, ANNA)
    assert merges.same_as(kept.database, value_of(ANNA), None) == ()
    kept.registry.identify(Merge(Told(PatientDetails(BO)), (ANNA,)), CALLER)
    assert set(merges.same_as(kept.database, value_of(ANNA), None)) == {ANNA, BO}
    assert set(merges.same_as(kept.database, value_of(ANNA), PNR)) == {ANNA, BO}
    assert merges.same_as(kept.database, value_of(ANNA), "1.2.3") == ()


def test_a_submission_says_who_its_patient_is(kept):
    kept.submit(document(source_patient_info=("PID-5|Ek^Anna", "PID-7|19121212", "PID-8|F")))
    kept.submit(report())
    assert known(kept) == [("Ek", "Anna", "19121212", "F", 1)]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ((), ("", "", "", "")),
        (("PID-5|Ek&van^Anna Maria^X~Old^Name", "PID-8|f"), ("Ek", "Anna Maria", "", "F")),
        (("PID-5| Ek ", "PID-5|Other", "PID-7|191212121530"), ("Ek", "", "19121212", "")),
        (("PID-7|19XX", "PID-8|?", "PID-11|Road"), ("", "", "", "")),
        (("PID-5", "|", "PID-7|", "PID-8|"), ("", "", "", "")),
    ],
    ids=str,
)
def test_details_of_source_patient_info(info, expected):
    details = details_of(document(source_patient_info=info))
    assert (details.family, details.given, details.birth_date, details.sex) == expected


def test_found_by_name_date_and_identifier(kept):
    know(kept, ANNA, family="von Ek_man", given="Anna Maria", birth_date="19121212")
    know(kept, BO, family="Ekström", given="Bo", birth_date="1899")
    anna, bo = value_of(ANNA), value_of(BO)
    questions = [
        ({}, {anna, bo}),
        ({"family": ("ek",)}, {anna, bo}),
        ({"family": ("EKS",)}, {bo}),
        ({"family": ("von",)}, {anna}),
        ({"family": ("ek_",)}, {anna}),
        ({"family": ("kman",)}, set()),
        ({"family": ("%",)}, set()),
        ({"given": ("maria",)}, {anna}),
        ({"given": ("ek",)}, set()),
        ({"given": ("anna", "bo")}, {anna, bo}),
        ({"names": ("ek",)}, {anna, bo}),
        ({"names": ("bo",)}, {bo}),
        ({"family": ("ek",), "given": ("bo",)}, {bo}),
        ({"date_from": "19121212000000", "date_to": "19121213000000"}, {anna}),
        ({"date_to": "19000101000000"}, {bo}),
        ({"identifiers": ((ReferenceId(anna),),)}, {anna}),
        ({"identifiers": ((ReferenceId(anna, authority=PNR), ReferenceId(bo)),)}, {anna, bo}),
        ({"identifiers": ((ReferenceId(anna, authority="1.2"),),)}, set()),
    ]
    assert [(asked, expected, f) for asked, expected in questions if (f := found(kept, **asked)) != expected] == []


def test_letters_beyond_ascii_whatever_their_case(kept):
    know(kept, family="Åkesson")
    assert found(kept, family=("Åke",)) == {value_of(ANNA)}
    assert found(kept, family=("åke",)) == {value_of(ANNA)}
