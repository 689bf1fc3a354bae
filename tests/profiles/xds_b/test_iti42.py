"""ITI-42: what is registered, and every reason why not."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from wire import submissions as s
from wire.soap_world import SOAP, World

from conformance import messages
from registry.metadata.model import Code, Folder, Submission
from registry.metadata.urn import Action, AssociationType, Namespace, ObjectType, StoredQueryId

META = "XDSRegistryMetadataError"
A = AssociationType


def registered(world: World, submission: Submission | None = None) -> Submission:
    made = submission or s.new()
    answer = world.register(made)
    assert answer.outcome == "Success", answer.text
    return made


def status(world: World, submission: Submission) -> str:
    parameters = [("$XDSDocumentEntryEntryUUID", f"('{submission.entries[0].id}')")]
    (found,) = world.query(messages.stored_query(StoredQueryId.GET_DOCUMENTS, parameters)).objects
    return str(found.get("status")).rpartition(":")[2]


def refused(world: World, submission: Submission) -> list[tuple[str, str]]:
    """Codes and locations, having seen that nothing changed and that each error says where, what and why."""
    before = world.state()
    answer = world.register(submission)
    assert world.state() == before
    assert answer.outcome == "Failure", "it was registered"
    for error in answer.errors:
        assert "TF-" in error.context or "local limit" in error.context, error
        assert error.context.startswith(error.location)
    return [(e.code, e.location) for e in answer.errors]


def test_success_writes_every_object_once(world: World) -> None:
    before = world.rows()
    made = registered(world, s.new(3))
    after = world.rows()
    more = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert (more["submission_set"], more["document_entry"], more["association"]) == (1, 3, 3)
    assert status(world, made) == "Approved"


def test_the_answer_is_plain_and_says_success(world: World) -> None:
    answer = world.register(s.new())
    assert answer.content_type.startswith("application/soap+xml")
    assert answer.action == Action.REGISTER_DOCUMENT_SET.response
    assert (answer.outcome, answer.errors) == ("Success", [])


Change = Callable[[Submission], Submission]


def change(**entry: object) -> Change:
    return lambda made: s.entry(made, **entry)


def change_set(**values: object) -> Change:
    return lambda made: s.owner(made, **values)


def change_member(**values: object) -> Change:
    return lambda made: s.member(made, **values)


ENTRY_FAULTS: list[tuple[str, Change]] = [
    ("classCode", change(class_code=None)),
    ("confidentialityCode", change(confidentiality_codes=())),
    ("creationTime", change(creation_time=None)),
    ("creationTime", change(creation_time="20261301")),
    ("creationTime", change(creation_time="2026-01-01T00:00:00Z")),
    ("formatCode", change(format_code=None)),
    ("hash", change(hash=None)),
    ("hash", change(hash="xyz")),
    ("healthcareFacilityTypeCode", change(healthcare_facility_type_code=None)),
    ("languageCode", change(language_code=None)),
    ("languageCode", change(language_code="sv_SE")),
    ("legalAuthenticator", change(legal_authenticator="^^Eva")),
    ("mimeType", change(mime_type="pdf")),
    ("patientId", change(patient_id=None)),
    ("patientId", change(patient_id="17")),
    ("practiceSettingCode", change(practice_setting_code=None)),
    ("referenceIdList", change(reference_ids=("A1^^^&1.2&ISO",))),
    ("repositoryUniqueId", change(repository_unique_id=None)),
    ("repositoryUniqueId", change(repository_unique_id="here")),
    ("serviceStartTime", change(service_start_time="2")),
    ("serviceStopTime", change(service_start_time="2024", service_stop_time="2023")),
    ("size", change(size=None)),
    ("size", change(size="-1")),
    ("size", change(size="²")),
    ("size", change(size="9" * 30)),
    ("sourcePatientId", change(source_patient_id=None)),
    ("sourcePatientInfo", change(source_patient_info=("PID-4|x",))),
    ("sourcePatientInfo", change(source_patient_info=("name: x",))),
    ("title", change(title="x" * 129)),
    ("typeCode", change(type_code=None)),
    ("uniqueId", change(unique_id=None)),
    ("uniqueId", change(unique_id="1.2 3")),
    ("uniqueId", change(unique_id="1." * 70)),
    ("objectType", change(object_type=ObjectType.ON_DEMAND_DOCUMENT)),
]


@pytest.mark.parametrize(("attribute", "damage"), ENTRY_FAULTS)
def test_one_wrong_attribute_of_an_entry_is_named(world: World, attribute: str, damage: Change) -> None:
    made = damage(s.new())
    found = refused(world, made)
    assert {code for code, _ in found} == {META}, found
    assert f"{made.entries[0].id}.{attribute}" in {where for _, where in found}


@pytest.mark.parametrize(
    ("attribute", "old", "new"),
    [
        ("homeCommunityId", "isOpaque=", 'home="1.2.3" isOpaque='),
        ("homeCommunityId", "isOpaque=", 'home="urn:oid:x" isOpaque='),
        ("availabilityStatus", "StatusType:Approved", "StatusType:Deprecated"),
        ("availabilityStatus", "StatusType:Approved", "StatusType:Submitted"),
    ],
)
def test_one_wrong_xml_attribute_is_named(world: World, attribute: str, old: str, new: str) -> None:
    before = world.state()
    body = messages.register_document_set(s.new()).replace(old.encode(), new.encode())
    answer = world.send(Action.REGISTER_DOCUMENT_SET, body)
    assert set(answer.codes) == {META}
    assert f".{attribute}:" in answer.text
    assert world.state() == before


@pytest.mark.parametrize(
    ("attribute", "damage"),
    [
        ("contentTypeCode", change_set(content_type_code=None)),
        ("patientId", change_set(patient_id=None)),
        ("sourceId", change_set(source_id=None)),
        ("sourceId", change_set(source_id="x")),
        ("submissionTime", change_set(submission_time=None)),
        ("submissionTime", change_set(submission_time="tomorrow")),
        ("uniqueId", change_set(unique_id=None)),
        ("uniqueId", change_set(unique_id="3.4.5")),
        ("intendedRecipient", change_set(intended_recipients=("||",))),
    ],
)
def test_one_wrong_attribute_of_a_set_is_named(world: World, attribute: str, damage: Change) -> None:
    made = damage(s.new())
    found = refused(world, made)
    assert (META, f"{made.submission_set.id}.{attribute}") in found


@pytest.mark.parametrize(
    ("text", "damage"),
    [
        ("exactly one SubmissionSet, 0", lambda m: replace(m, submission_sets=())),
        ("exactly one SubmissionSet, 2", lambda m: replace(m, submission_sets=m.submission_sets * 2)),
        ("exactly one HasMember", lambda m: replace(m, associations=())),
        ("Original or Reference", change_member(submission_set_status=None)),
        ("Original or Reference", change_member(submission_set_status="Copied")),
        ("Reference", change_member(submission_set_status="Reference")),
        ("not known", change_member(type="urn:ihe:iti:2007:AssociationType:LIKES")),
        ("Metadata Update", lambda m: s.related(m, m.submission_set.id, A.UPDATE_AVAILABILITY_STATUS)),
        ("same object", lambda m: s.related(m, m.entries[0].id, A.APND)),
        ("registered already", lambda m: s.related(m, m.submission_set.id, A.RPLC)),
        ("not registered", lambda m: s.related(m, "urn:uuid:00000000-0000-4000-8000-00000000dead", A.RPLC)),
        ("limited metadata", lambda m: m),
    ],
)
def test_the_graph_of_a_submission(world: World, text: str, damage: Change) -> None:
    made = damage(s.new())
    body = messages.register_document_set(made)
    if text == "limited metadata":
        mark = (
            f'<rim:Classification id="l" classifiedObject="{made.entries[0].id}" nodeRepresentation=""'
            f' classificationScheme="urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85"/></rim:ExtrinsicObject>'
        )
        body = body.replace(b"</rim:ExtrinsicObject>", mark.encode())
    before = world.state()
    answer = world.send(Action.REGISTER_DOCUMENT_SET, body)
    assert world.state() == before
    assert answer.outcome == "Failure"
    assert text in answer.text
    assert META in answer.codes


def test_no_list_and_an_empty_list(world: World) -> None:
    for inside in ("", "<r:RegistryObjectList/>"):
        names = f'xmlns:l="{Namespace.LCM}" xmlns:r="{Namespace.RIM}"'
        body = f"<l:SubmitObjectsRequest {names}>{inside}</l:SubmitObjectsRequest>"
        answer = world.send(Action.REGISTER_DOCUMENT_SET, messages.envelope(Action.REGISTER_DOCUMENT_SET, body))
        assert set(answer.codes) == {META}


def test_a_unique_id_twice_in_a_message(world: World) -> None:
    made = s.new(2)
    made = s.entry(made, unique_id=made.entries[1].unique_id)
    assert refused(world, made) == [("XDSRegistryDuplicateUniqueIdInMessage", made.entries[1].unique_id)]


def test_an_id_twice_in_a_message(world: World) -> None:
    made = s.new(2)
    again = replace(made.associations[1], id=made.entries[0].id)
    assert META in {c for c, _ in refused(world, replace(made, associations=(made.associations[0], again)))}


def test_an_id_that_is_registered_already(world: World) -> None:
    known = registered(world)
    made = s.of_patient(s.new(), known.entries[0].patient_id)
    made = s.member(s.entry(made, id=known.entries[0].id), target=known.entries[0].id)
    assert (META, known.entries[0].id) in refused(world, made)


def test_the_unique_id_of_a_set_is_used_once_and_of_a_document_again_if_it_is_the_same(world: World) -> None:
    known = registered(world)
    owner = known.submission_set
    found = refused(world, s.owner(s.new(), unique_id=owner.unique_id))
    assert [c for c, _ in found] == ["XDSDuplicateUniqueIdInRegistry"]
    entry = known.entries[0]
    same = {"unique_id": entry.unique_id, "hash": str(entry.hash).upper(), "size": f"0{entry.size}"}
    made = s.of_patient(s.new(**same), entry.patient_id)
    registered(world, made)
    for changed, code in (({"hash": "0" * 40}, "XDSNonIdenticalHash"), ({"size": "7"}, "XDSNonIdenticalSize")):
        again = s.of_patient(s.new(**(same | changed)), entry.patient_id)
        assert [c for c, _ in refused(world, again)] == [code]


@pytest.mark.parametrize("size", ["abc", "²", "1e3", "", "-5"])
def test_a_wrong_size_of_a_known_document_is_metadata_and_no_crash(world: World, size: str) -> None:
    entry = registered(world).entries[0]
    made = s.of_patient(s.new(unique_id=entry.unique_id, hash=entry.hash, size=size), entry.patient_id)
    assert META in {c for c, _ in refused(world, made)}


def folder_of(submission: Submission) -> Submission:
    folder = Folder(
        f"{submission.entries[0].id[:-4]}f01d", f"{submission.entries[0].unique_id}9", submission.entries[0].patient_id,
        "Folder", codes=(Code("a", "1.2.3"),),
    )  # fmt: skip
    member = replace(submission.associations[0], id=f"{folder.id[:-4]}f02d", target=folder.id)
    return replace(submission, folders=(folder,), associations=(*submission.associations, member))


def test_the_unique_id_of_a_folder_is_used_once(world: World) -> None:
    known = registered(world, folder_of(s.new()))
    made = folder_of(s.new())
    made = replace(made, folders=(replace(made.folders[0], unique_id=known.folders[0].unique_id),))
    assert [c for c, _ in refused(world, made)] == ["XDSDuplicateUniqueIdInRegistry"]


@pytest.mark.parametrize("missing", ["codes", "title", "patient_id", "unique_id"])
def test_a_folder_needs_its_attributes(world: World, missing: str) -> None:
    made = folder_of(s.new())
    empty = () if missing == "codes" else None
    made = replace(made, folders=(replace(made.folders[0], **{missing: empty}),))
    assert META in {c for c, _ in refused(world, made)}


def test_patients_must_be_one_and_known(world: World) -> None:
    made = s.new()
    stranger = "17^^^&1.2.3.4&ISO"
    found = refused(world, s.of_patient(made, stranger))
    assert [c for c, _ in found] == ["XDSUnknownPatientId"]
    found = refused(world, s.entry(made, patient_id=s.new().entries[0].patient_id))
    assert found == [("XDSPatientIdDoesNotMatch", f"{made.entries[0].id}.patientId")]
    registered(world, made)


@pytest.mark.parametrize("kind", [A.RPLC, A.APND, A.XFRM, A.XFRM_RPLC, A.SIGNS])
def test_relations_stay_within_a_patient_and_point_to_what_is_approved(world: World, kind: A) -> None:
    first = registered(world)
    other = s.related(s.new(), first.entries[0].id, kind)
    assert "XDSPatientIdDoesNotMatch" in {c for c, _ in refused(world, other)}
    registered(world, s.following(first, kind))
    assert status(world, first) == ("Deprecated" if kind in (A.RPLC, A.XFRM_RPLC) else "Approved")
    if kind in (A.RPLC, A.XFRM_RPLC):
        late = s.following(first, kind)
        assert [c for c, _ in refused(world, late)] == ["XDSRegistryDeprecatedDocumentError"]


def test_a_relation_must_point_to_a_document(world: World) -> None:
    first = registered(world)
    made = s.related(s.of_patient(s.new(), first.entries[0].patient_id), first.submission_set.id)
    assert META in {c for c, _ in refused(world, made)}


def test_replacing_deprecates_what_hangs_on_the_replaced(world: World) -> None:
    first = registered(world)
    addendum = registered(world, s.following(first, A.APND))
    of_addendum = registered(world, s.following(addendum, A.XFRM))
    signature = registered(world, s.following(first, A.SIGNS))
    newer = registered(world, s.following(first, A.RPLC))
    statuses = [status(world, one) for one in (first, addendum, of_addendum, signature, newer)]
    assert statuses == ["Deprecated", "Deprecated", "Deprecated", "Approved", "Approved"]


def test_everything_wrong_is_told_at_once(world: World) -> None:
    known = registered(world)
    made = s.new(2, creation_time="never", class_code=None)
    made = s.owner(made, source_id="x", unique_id=known.submission_set.unique_id)
    made = replace(made, entries=(made.entries[0], replace(made.entries[1], unique_id=known.entries[0].unique_id)))
    made = s.related(made, known.entries[0].id)
    found = refused(world, made)
    first, second = made.entries
    assert {
        (META, f"{first.id}.creationTime"),
        (META, f"{first.id}.classCode"),
        (META, f"{made.submission_set.id}.sourceId"),
        ("XDSDuplicateUniqueIdInRegistry", f"{made.submission_set.id}.uniqueId"),
        ("XDSNonIdenticalHash", f"{second.id}.hash"),
        ("XDSPatientIdDoesNotMatch", f"{made.associations[-1].id}.targetObject"),
    } <= set(found)


def test_a_refusal_is_no_fault(world: World) -> None:
    answer = world.register(s.new(creation_time=None))
    assert answer.body.tag != f"{SOAP}Fault"
    assert (answer.status, answer.action) == (200, Action.REGISTER_DOCUMENT_SET.response)


def test_too_many_objects(world: World) -> None:
    made = s.new()
    inside = "".join(f'<rim:RegistryPackage id="p{n}"/>' for n in range(10_001))
    body = messages.register_document_set(made).replace(
        b"</rim:RegistryObjectList>", inside.encode() + b"</rim:RegistryObjectList>"
    )
    before = world.state()
    answer = world.send(Action.REGISTER_DOCUMENT_SET, body)
    assert set(answer.codes) == {META}
    assert world.state() == before
