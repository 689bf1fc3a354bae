"""ITI-41: documents and their metadata pair up one to one, and a refused message leaves nothing behind."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha1

import pytest
from wire import submissions as s
from wire.soap_world import REPOSITORY, Answer, World, include, packaged

from conformance import messages
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace, StoredQueryId

PNR = Action.PROVIDE_AND_REGISTER_DOCUMENT_SET
META = "XDSRepositoryMetadataError"
SHA1 = "0123456789abcdef0123456789abcdef01234567"


def new(documents: int = 1, **entry: object) -> Submission:
    made = messages.provided(s.new(documents))
    return s.entry(made, **entry) if entry else made


def request(submission: Submission, documents: str) -> bytes:
    """An envelope whose Document elements are written by hand."""
    body = (
        f'<xdsb:ProvideAndRegisterDocumentSetRequest xmlns:xdsb="{Namespace.XDS_B}">'
        f"{messages.submit_objects(submission)}{documents}</xdsb:ProvideAndRegisterDocumentSetRequest>"
    )
    return messages.envelope(PNR, body)


def document(id_: str, inside: str) -> str:
    return f'<xdsb:Document id="{id_}">{inside}</xdsb:Document>'


def by_hand(world: World, submission: Submission, documents: str, *parts: tuple[str, bytes]) -> Answer:
    return world.post("repository", *packaged(request(submission, documents), *parts))


def slots(world: World, submission: Submission) -> dict[str, str]:
    parameters = [("$XDSDocumentEntryEntryUUID", f"('{submission.entries[0].id}')")]
    (found,) = world.query(messages.stored_query(StoredQueryId.GET_DOCUMENTS, parameters)).objects
    return {e.get("name"): e.findtext(".//{*}Value") for e in found.iterfind("{*}Slot")}


@pytest.fixture
def untouched(world: World) -> Iterator[None]:
    """After the test, rows, blobs and temporary files are what they were."""
    before = world.state()
    yield
    assert world.state() == before


@pytest.mark.parametrize("content", [b"", b"x", b"\r\n--cut-here\r", bytes(range(256)) * 4096], ids=len)
def test_documents_of_all_sizes_come_back_identical(world: World, content: bytes) -> None:
    made = new()
    entry = made.entries[0]
    assert world.provide(made, {entry.id: content}).outcome == "Success"
    found = slots(world, made)
    assert (found["hash"], found["size"]) == (sha1(content).hexdigest(), str(len(content)))
    assert found["repositoryUniqueId"] == REPOSITORY
    answer = world.retrieve((REPOSITORY, str(entry.unique_id)))
    assert answer.outcome == "Success"
    assert (answer.body.findtext(".//{*}Document") or "") == b64encode(content).decode()


def test_the_answer_is_mtom_with_the_action_of_the_book(world: World) -> None:
    made = new()
    answer = world.provide(made, {made.entries[0].id: b"a"})
    assert answer.content_type.startswith("multipart/related")
    assert 'type="application/xop+xml"' in answer.content_type
    assert answer.action == PNR.response


def test_given_hash_size_and_repository_may_be_right(world: World) -> None:
    made = new(hash=sha1(b"abc").hexdigest().upper(), size="3", repository_unique_id=REPOSITORY)
    assert world.provide(made, {made.entries[0].id: b"abc"}).outcome == "Success"


def test_a_document_without_metadata_and_an_entry_without_document(world: World, untouched: None) -> None:
    made = new(2)
    first, second = (e.id for e in made.entries)
    answer = world.provide(made, {first: b"a"})
    assert [(e.code, e.location) for e in answer.errors] == [("XDSMissingDocument", second)]
    other = "urn:uuid:00000000-0000-4000-8000-00000000beef"
    answer = world.provide(made, {first: b"a", second: b"b", other: b"c"})
    assert [(e.code, e.location) for e in answer.errors] == [("XDSMissingDocumentMetadata", other)]
    answer = world.provide(made, {first: b"a", other: b"c"})
    assert sorted(answer.codes) == ["XDSMissingDocument", "XDSMissingDocumentMetadata"]
    answer = world.provide(made, {})
    assert answer.codes == ["XDSMissingDocument"] * 2


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"hash": SHA1}, "hash"),
        ({"size": "7"}, "size"),
        ({"size": "x"}, "size"),
        ({"size": "²"}, "size"),
        ({"repository_unique_id": "1.2.3"}, "repositoryUniqueId"),
        ({"creation_time": None}, "creationTime"),
        ({"hash": "x"}, "hash"),
    ],
)
def test_what_disagrees_is_named(world: World, untouched: None, changed: dict[str, str], where: str) -> None:
    made = new(**changed)
    answer = world.provide(made, {made.entries[0].id: b"abc"})
    assert answer.outcome == "Failure"
    assert set(answer.codes) == {META}
    assert f"{made.entries[0].id}.{where}" in {e.location for e in answer.errors}


def test_all_that_is_wrong_is_told_at_once(world: World, untouched: None) -> None:
    made = s.owner(new(2, hash=SHA1, size="9", creation_time=None), source_id=None)
    answer = world.provide(made, {made.entries[0].id: b"abc", "urn:uuid:00000000-0000-4000-8000-00000000beef": b""})
    assert {"XDSMissingDocument", "XDSMissingDocumentMetadata", META} == set(answer.codes)
    for where in ("hash", "size", "creationTime", "sourceId"):
        assert f".{where}:" in answer.text


def test_an_unknown_patient_authority(world: World, untouched: None) -> None:
    made = s.of_patient(new(), "17^^^&1.2.3&ISO")
    assert world.provide(made, {made.entries[0].id: b"abc"}).codes == ["XDSUnknownPatientId"]


def test_a_unique_id_twice_in_a_message(world: World, untouched: None) -> None:
    made = new(2)
    made = s.entry(made, unique_id=made.entries[1].unique_id)
    answer = world.provide(made, {e.id: b"same" for e in made.entries})
    assert "XDSRepositoryDuplicateUniqueIdInMessage" in answer.codes


def test_a_document_provided_again(world: World) -> None:
    first = new()
    entry = first.entries[0]
    assert world.provide(first, {entry.id: b"abc"}).outcome == "Success"
    again = s.of_patient(new(unique_id=entry.unique_id), entry.patient_id)
    blobs = world.blobs()
    assert world.provide(again, {again.entries[0].id: b"abc"}).outcome == "Success"
    assert world.blobs() == blobs, "the same bytes are kept once"
    before = world.state()
    other = s.of_patient(new(unique_id=entry.unique_id), entry.patient_id)
    answer = world.provide(other, {other.entries[0].id: b"abd"})
    assert set(answer.codes) == {"XDSNonIdenticalHash"}
    assert world.state() == before


def test_a_unique_id_of_another_patients_document_is_not_taken_over(world: World) -> None:
    """The same bytes under the same uniqueId for another patient would hand one patient's document to the other."""
    first = new()
    assert world.provide(first, {first.entries[0].id: b"abc"}).outcome == "Success"
    second = new(unique_id=first.entries[0].unique_id)
    assert second.entries[0].patient_id != first.entries[0].patient_id
    assert world.provide(second, {second.entries[0].id: b"abc"}).outcome == "Failure"


def test_two_entries_may_have_equal_documents(world: World) -> None:
    made = new(2)
    assert world.provide(made, {e.id: b"equal" for e in made.entries}).outcome == "Success"


def test_a_document_id_twice(world: World, untouched: None) -> None:
    made = new()
    id_ = made.entries[0].id
    answer = by_hand(
        world, made, document(id_, include("a")) + document(id_, include("b")), ("a", b"one"), ("b", b"two")
    )
    assert (answer.codes, answer.errors[0].location) == ([META], id_)


def test_a_document_without_id(world: World, untouched: None) -> None:
    made = new()
    answer = by_hand(world, made, document(made.entries[0].id, include("a")).replace(' id="', ' name="'), ("a", b"one"))
    assert META in answer.codes


def test_not_mtom_is_a_fault_that_names_mtom(world: World, untouched: None) -> None:
    made = new()
    for documents in ("", document(made.entries[0].id, " "), document("x", "<a>YWJj</a>")):
        answer = world.post("repository", messages.headers(PNR), request(made, documents))
        assert answer.fault is not None
        assert (answer.status, answer.fault[0]) == (415, "Sender")
        assert "MTOM" in answer.fault[2]


def test_a_plain_envelope_with_its_documents_inside_is_accepted(world: World) -> None:
    made = new()
    body = request(made, document(made.entries[0].id, "YWJj"))
    answer = world.post("repository", messages.headers(PNR), body)
    assert answer.outcome == "Success"
    assert answer.content_type.startswith("application/soap+xml")


@pytest.mark.parametrize("text", ["YWJj", " YW\nJj ", "YW<!-- c -->Jj", ""])
def test_inline_base64_in_a_package_is_accepted(world: World, text: str) -> None:
    made = new()
    assert by_hand(world, made, document(made.entries[0].id, text)).outcome == "Success"
    answer = world.retrieve((REPOSITORY, str(made.entries[0].unique_id)))
    assert (answer.body.findtext(".//{*}Document") or "") == ("YWJj" if text else "")


@pytest.mark.parametrize("inside", ["!!!", "YWJ", "<b>YWJj</b>", "åäö="])
def test_other_inline_text_is_named_by_a_code_of_the_book(world: World, untouched: None, inside: str) -> None:
    made = new()
    answer = by_hand(world, made, document(made.entries[0].id, inside))
    assert answer.outcome == "Failure"


def test_a_bad_inline_document_does_not_hide_the_rest(world: World, untouched: None) -> None:
    made = new(creation_time=None)
    assert "creationTime" in by_hand(world, made, document(made.entries[0].id, "!!!")).text


# --- XOP ---


@pytest.mark.parametrize(
    "href",
    [
        "http://127.0.0.1:9/a",
        "file:///etc/passwd",
        "a",
        "",
        "cid:",
        "cid:root@test",
        "cid:nobody",
        "cid:%61%00",
        "cid:../a",
        "cid:A",
        "cid:%2e%2e/a",
        "CID:nobody",
        "cid:<a>".replace("<", "&lt;").replace(">", "&gt;"),
    ],
)
def test_an_include_names_a_part_of_the_message(world: World, untouched: None, href: str) -> None:
    made = new()
    one = f'<xop:Include xmlns:xop="{Namespace.XOP}" href="{href}"/>'
    answer = by_hand(world, made, document(made.entries[0].id, one), ("a", b"abc"))
    assert answer.fault is not None
    assert answer.fault[0] == "Sender"


def test_an_include_names_a_part_once(world: World, untouched: None) -> None:
    made = new(2)
    both = "".join(document(e.id, include("a")) for e in made.entries)
    answer = by_hand(world, made, both, ("a", b"abc"))
    assert answer.fault is not None


@pytest.mark.parametrize("inside", ["{0}{1}", "{0}text", "text{0}", "<a>{0}</a>"])
def test_an_include_stands_alone(world: World, untouched: None, inside: str) -> None:
    made = new()
    held = inside.format(include("a"), include("b"))
    answer = by_hand(world, made, document(made.entries[0].id, held), ("a", b"abc"), ("b", b"def"))
    assert answer.fault or answer.outcome == "Failure"


def test_parts_that_no_document_names_are_not_kept(world: World) -> None:
    made, before = new(), world.temporaries()
    answer = by_hand(world, made, document(made.entries[0].id, include("a")), ("a", b"abc"), ("b", b"never named"))
    assert answer.outcome == "Success"
    assert world.temporaries() == before


def test_an_include_outside_a_document_leaves_nothing(world: World) -> None:
    made, before = new(), world.temporaries()
    body = request(made, document(made.entries[0].id, include("a")))
    body = body.replace(b"</lcm:SubmitObjectsRequest>", include("b").encode() + b"</lcm:SubmitObjectsRequest>")
    world.post("repository", *packaged(body, ("a", b"abc"), ("b", b"stray")))
    assert world.temporaries() == before


def test_a_cut_message_leaves_nothing(world: World, untouched: None) -> None:
    made = new()
    headers, body = packaged(request(made, document(made.entries[0].id, include("a"))), ("a", b"abc" * 1000))
    for end in (len(body) - 4, len(body) - 20, len(body) - 1500, len(body) // 2, 200, 0):
        answer = world.post("repository", headers, body[:end])
        assert answer.fault is not None


def test_a_failure_after_the_documents_are_kept_leaves_no_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new()
    rows, temporaries = world.rows(), world.temporaries()

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(world.house.registry), "register", broken)
    content_type, chunks = messages.provide_and_register(made, {made.entries[0].id: [b"abc"]})
    _, _, content = world.raw("repository", {"Content-Type": content_type}, b"".join(chunks))
    assert b"XDSRepositoryError" in content
    monkeypatch.undo()
    assert world.rows() == rows
    assert world.temporaries() == temporaries
    assert world.provide(made, {made.entries[0].id: b"abc"}).outcome == "Success", "sending it again mends it"


def test_the_documents_need_not_come_in_the_order_of_the_entries(world: World) -> None:
    made = new(3)
    wanted = {e.id: f"content {n}".encode() for n, e in enumerate(made.entries)}
    elements = "".join(document(id_, include(f"p{n}")) for n, id_ in enumerate(reversed(list(wanted))))
    parts = [(f"p{n}", wanted[id_]) for n, id_ in enumerate(reversed(list(wanted)))]
    assert by_hand(world, made, elements, *sorted(parts)).outcome == "Success"
    answer = world.retrieve(*((REPOSITORY, str(e.unique_id)) for e in made.entries))
    given = [e.text for e in answer.body.iter(f"{{{Namespace.XDS_B}}}Document")]
    assert given == [b64encode(c).decode() for c in wanted.values()]


def test_symbolic_ids_pair_up(world: World) -> None:
    made = new()
    body = request(made, document(made.entries[0].id, include("a"))).decode()
    for number, thing in enumerate(made.objects()):
        body = re.sub(re.escape(thing.id), f"Object{number}", body)
    assert world.post("repository", *packaged(body.encode(), ("a", b"abc"))).outcome == "Success"


def test_ids_in_upper_case_pair_up(world: World) -> None:
    made = new()
    id_ = made.entries[0].id
    answer = by_hand(world, made, document(f"urn:uuid:{id_[9:].upper()}", include("a")), ("a", b"abc"))
    assert answer.outcome == "Success", answer.text


def test_a_replacement_by_documents(world: World) -> None:
    first = new()
    assert world.provide(first, {first.entries[0].id: b"old"}).outcome == "Success"
    newer = messages.provided(s.following(first))
    assert world.provide(newer, {newer.entries[0].id: b"new"}).outcome == "Success"
    before = world.state()
    late = messages.provided(s.following(first))
    answer = world.provide(late, {late.entries[0].id: b"late"})
    assert answer.codes == ["XDSRegistryDeprecatedDocumentError"]
    assert world.state() == before


def test_several_sets_and_none(world: World, untouched: None) -> None:
    made = new()
    for sets in ((), made.submission_sets * 2):
        answer = world.provide(replace(made, submission_sets=sets), {made.entries[0].id: b"abc"})
        assert META in answer.codes
