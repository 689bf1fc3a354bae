"""Mutants of valid messages: whatever comes in, the answer is coded, quick, and changes nothing unless it succeeds."""

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree
from wire import submissions as s
from wire.imaging import CALLER, EXPLICIT, J2K, Study, retrieval, sop_uid
from wire.soap_world import IMAGING_SOURCE, REPOSITORY, World, judged, open_world, packaged

from conformance import messages
from registry.metadata.urn import Action, Status, StoredQueryId

pytestmark = pytest.mark.fuzz

MUTANTS = int(os.environ.get("XDSI_MUTANTS", "600"))
SLOWEST = 2.0
Message = tuple[str, dict[str, str], bytes]

TOKENS = [
    b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"&#0;", b"&amp;", b"&x;", b"<", b">", b"'", b"''", b'"', b"()", b"((", b"%",
    b"_",
    b"]]>", b"<!-- x -->", b"<?x?>", b"<![CDATA[", b"\r\n\r\n", b"--cut-here",
    b"--cut-here--", b"cid:a",
    b"cid:", b"^^^",
    b"99999999999999999999", b"-1", b"urn:uuid:", b"\xc2\xb2", b"\xf0\x9f\x98\x80", b"\xe2\x80\xae", b"A" * 5000, b"",
]  # fmt: skip
TEXTS = [
    "", " ", "'", "()", "('')", "''", "('a','b')", "²", "1e5", "-1", "0" * 300, "^^^^^", "^^^&1.2&ISO", "urn:uuid:",
    "%",
    "\u202e",
    "urn:uuid:00000000-0000-4000-8000-000000000000", "20269999",
    "2026", "\ufffd", "x" * 3000, "🤯", "None", "1.2.3",
    "..",
]  # fmt: skip


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("fuzz") / "data")


@pytest.fixture(scope="module")
def seeds(world: World) -> dict[str, Callable[[], Message]]:
    """A maker of fresh valid messages for each transaction."""
    known = s.new(2)
    assert world.register(known).outcome == "Success"
    kept = messages.provided(s.new())
    assert world.provide(kept, {kept.entries[0].id: b"kept"}).outcome == "Success"
    study = Study()
    slice_ = study.object()
    assert world.house.imaging.store([[slice_]], CALLER)[0].finding is None
    entry = known.entries[0]
    find = [
        ("$XDSDocumentEntryPatientId", f"'{entry.patient_id}'"),
        ("$XDSDocumentEntryStatus", f"('{Status.APPROVED}','{Status.DEPRECATED}')"),
        ("$XDSDocumentEntryClassCode", "('IMG^^1.2.752.129.2.9.6.1')"),
        ("$XDSDocumentEntryCreationTimeFrom", "'2014'"),
        ("$XDSDocumentEntryEventCodeList", "('CT^^1.2.840.10008.2.16.4')"),
        ("$XDSDocumentEntryAuthorPerson", "('%a%')"),
        ("$XDSDocumentEntryReferenceIdList", "('A1^^^&1.2&ISO^urn:ihe:iti:xds:2013:accession')"),
    ]
    others = [
        (StoredQueryId.FIND_DOCUMENTS, find[:6]),
        (StoredQueryId.FIND_DOCUMENTS_BY_REFERENCE_ID, find),
        (StoredQueryId.GET_DOCUMENTS, [("$XDSDocumentEntryUniqueId", f"('{entry.unique_id}','1.2')")]),
        (StoredQueryId.GET_ASSOCIATIONS, [("$uuid", f"('{entry.id}')")]),
        (
            StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS,
            [
                ("$XDSSubmissionSetEntryUUID", f"'{known.submission_set.id}'"),
                ("$XDSDocumentEntryFormatCode", "('a^^b')"),
            ],
        ),
    ]
    turn = iter(range(10**9))

    def provide() -> Message:
        made = messages.provided(s.new())
        content_type, chunks = messages.provide_and_register(made, {made.entries[0].id: [b"a document"]})
        return "repository", {"Content-Type": content_type}, b"".join(chunks)

    def register() -> Message:
        made = s.new() if next(turn) % 2 else s.following(known)
        return "registry", messages.headers(Action.REGISTER_DOCUMENT_SET), messages.register_document_set(made)

    def query() -> Message:
        id_, parameters = others[next(turn) % len(others)]
        return "registry", messages.headers(Action.REGISTRY_STORED_QUERY), messages.stored_query(id_, parameters)

    def retrieve() -> Message:
        wanted = [(REPOSITORY, str(kept.entries[0].unique_id)), (REPOSITORY, "1.2"), ("1.2.3", "4")]
        return "repository", *packaged(messages.retrieve_document_set(wanted), ("a", b"stray"))

    def imaging() -> Message:
        body = retrieval(
            {study.uid: {study.series: [(IMAGING_SOURCE, sop_uid(slice_)), ("1.2", "1.3")]}}, EXPLICIT, J2K
        )
        return "imaging", *packaged(messages.envelope(Action.RETRIEVE_IMAGING_DOCUMENT_SET, body))

    return {"ITI-18": query, "ITI-42": register, "ITI-41": provide, "ITI-43": retrieve, "RAD-69": imaging}


def of_bytes(rng: random.Random, body: bytes) -> bytes:
    """One to three changes at random places."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(body) or 1)
        length = rng.choice((1, 1, 1, 2, 10, 100, 1000))
        match rng.randrange(6):
            case 0:
                body = body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :]
            case 1:
                body = body[:at] + body[at + length :]
            case 2:
                body = body[:at] + body[at : at + length] * rng.randint(2, 4) + body[at + length :]
            case 3:
                body = body[:at] + rng.choice(TOKENS) + body[at:]
            case 4:
                body = body[:at]
            case _:
                other = rng.randrange(len(body) or 1)
                body = body[:at] + body[other : other + length] + body[at + length :]
    return body


def of_structure(rng: random.Random, envelope: bytes) -> bytes:
    """One to three changes of the tree: an element or a value gone, doubled, moved, or another."""
    root = etree.fromstring(envelope)
    for _ in range(rng.randint(1, 3)):
        elements = [e for e in root.iter("*") if e.getparent() is not None]
        if not elements:
            break
        one = rng.choice(elements)
        match rng.randrange(7):
            case 0:
                one.getparent().remove(one)
            case 1:
                one.addnext(etree.fromstring(etree.tostring(one, with_tail=False)))
            case 2:
                rng.choice([e for e in elements if not set(one.iter()) & {e}] or [root]).append(one)
            case 3:
                one.text = rng.choice(TEXTS)
            case 4 if one.attrib:
                one.set(rng.choice(list(one.attrib)), rng.choice(TEXTS))
            case 5 if one.attrib:
                del one.attrib[rng.choice(list(one.attrib))]
            case 6:
                one.text, one.tail = rng.choice(elements).text, rng.choice(TEXTS)
    return etree.tostring(root)


ENVELOPE = re.compile(rb"<(\w+):Envelope.*</\1:Envelope>", re.DOTALL)


def mutants(rng: random.Random, seed: Callable[[], Message], count: int) -> Iterator[Message]:
    for number in range(count):
        service, headers, body = seed()
        if number % 2:
            found = ENVELOPE.search(body)
            assert found is not None
            body = body[: found.start()] + of_structure(rng, found[0]) + body[found.end() :]
        else:
            body = of_bytes(rng, body)
        if number % 17 == 0:
            kind = of_bytes(rng, headers["Content-Type"].encode()).decode("latin-1")
            headers = {**headers, "Content-Type": re.sub(r"[\x00-\x1f]", "", kind)}
        yield service, headers, body


@pytest.mark.parametrize("transaction", ["ITI-18", "ITI-42", "ITI-41", "ITI-43", "RAD-69"])
def test_mutants_are_answered_by_a_code(
    world: World, seeds: dict[str, Callable[[], Message]], transaction: str, tmp_path: Path
) -> None:
    rng = random.Random(f"openxds-i {transaction}")
    before = world.state()
    for number, (service, headers, body) in enumerate(mutants(rng, seeds[transaction], MUTANTS)):
        begin = time.perf_counter()
        status, content_type, content = world.raw(service, headers, body)
        took = time.perf_counter() - begin
        try:
            answer = judged(status, content_type, content)
            assert took < SLOWEST
            after = world.state()
            if answer.outcome != "Success" or transaction not in {"ITI-41", "ITI-42"}:
                assert after == before, "the store changed"
            before = after
        except (AssertionError, etree.XMLSyntaxError, ValueError) as error:
            kept = Path(os.environ.get("XDSI_MUTANTS_KEPT", tmp_path)) / f"{transaction}-{number}.http"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode("latin-1", "replace") + body)
            raise AssertionError(f"mutant {number}, kept in {kept}: {error}") from error
