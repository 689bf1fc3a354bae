"""ITI-43: documents out, and why not."""

import tracemalloc
from base64 import b64encode

import pytest
from wire import submissions as s
from wire.soap_world import REPOSITORY, World, include, packaged, parts_of

from conformance import messages
from registry.metadata.urn import Action, Namespace

RETRIEVE = Action.RETRIEVE_DOCUMENT_SET


@pytest.fixture(scope="module")
def kept(world: World) -> dict[str, bytes]:
    """Documents by uniqueId."""
    made = messages.provided(s.new(3))
    contents = [b"", b"one\r\n--x", bytes(range(256)) * 5000]
    assert world.provide(made, dict(zip((e.id for e in made.entries), contents, strict=True))).outcome == "Success"
    return dict(zip((str(e.unique_id) for e in made.entries), contents, strict=True))


def test_several_documents_come_in_the_order_asked(world: World, kept: dict[str, bytes]) -> None:
    wanted = [(REPOSITORY, uid) for uid in reversed(kept)]
    answer = world.retrieve(*wanted)
    assert answer.outcome == "Success"
    assert answer.action == RETRIEVE.response
    assert answer.documents == [(*w, "application/pdf") for w in wanted]
    given = [e.text or "" for e in answer.body.iter(f"{{{Namespace.XDS_B}}}Document")]
    assert given == [b64encode(kept[uid]).decode() for _, uid in wanted]


def test_documents_are_parts_in_binary(world: World, kept: dict[str, bytes]) -> None:
    body = messages.retrieve_document_set([(REPOSITORY, uid) for uid in kept])
    status, content_type, content = world.raw("repository", *packaged(body))
    assert status == 200
    root, *parts = parts_of(content_type, content)
    assert root.get_content_type() == "application/xop+xml"
    assert [p.get_payload(decode=True) for p in parts] == list(kept.values())
    assert {p["Content-Transfer-Encoding"] for p in parts} == {"binary"}
    assert {p.get_content_type() for p in parts} == {"application/pdf"}
    assert len({p["Content-ID"] for p in parts}) == len(parts)


def test_asked_plainly_documents_still_come_as_mtom(world: World, kept: dict[str, bytes]) -> None:
    answer = world.retrieve((REPOSITORY, next(iter(kept))))
    assert answer.content_type.startswith("multipart/related")
    assert f'action="{RETRIEVE.response}"' in answer.content_type


def test_some_are_not_there(world: World, kept: dict[str, bytes]) -> None:
    known = next(iter(kept))
    answer = world.retrieve((REPOSITORY, "1.2.3.4"), (REPOSITORY, known), ("9.9.9", known))
    assert answer.outcome == "PartialSuccess"
    assert [d[1] for d in answer.documents] == [known]
    found = [(e.code, e.location) for e in answer.errors]
    assert found == [("XDSDocumentUniqueIdError", "1.2.3.4"), ("XDSUnknownRepositoryId", known)]


def test_none_is_there(world: World, kept: dict[str, bytes]) -> None:
    answer = world.retrieve((REPOSITORY, "1.2.3.4"), ("9.9.9", next(iter(kept))))
    assert (answer.outcome, answer.documents) == ("Failure", [])


def test_the_same_twice_is_answered_twice(world: World, kept: dict[str, bytes]) -> None:
    uid = list(kept)[1]
    answer = world.retrieve((REPOSITORY, uid), (REPOSITORY, uid))
    assert [d[1] for d in answer.documents] == [uid, uid]


@pytest.mark.parametrize("uid", ["' OR '1'='1", "%", "../../etc/passwd", "1.2.3\u202e", "x" * 5000, "å<&>"])
def test_hostile_ids_find_nothing(world: World, kept: dict[str, bytes], uid: str) -> None:
    answer = world.retrieve((REPOSITORY, uid))
    assert [e.code for e in answer.errors] == ["XDSDocumentUniqueIdError"]
    assert answer.errors[0].location == uid


ONE = "<x:RepositoryUniqueId>{}</x:RepositoryUniqueId><x:DocumentUniqueId>{}</x:DocumentUniqueId>"


def asked(*inside: str) -> bytes:
    requests = "".join(f"<x:DocumentRequest>{one}</x:DocumentRequest>" for one in inside)
    body = f'<x:RetrieveDocumentSetRequest xmlns:x="{Namespace.XDS_B}">{requests}</x:RetrieveDocumentSetRequest>'
    return messages.envelope(RETRIEVE, body)


@pytest.mark.parametrize(
    ("inside", "where"),
    [
        ((), "DocumentRequest"),
        (("",), "RepositoryUniqueId"),
        ((ONE.format("", "1.2"),), "RepositoryUniqueId"),
        ((ONE.format("1.2", " "),), "DocumentUniqueId"),
        ((ONE.format("1.2", "3"), ONE.format("1.2", "")), "DocumentRequest[2].DocumentUniqueId"),
        ((ONE.format("1.2", "3"),) * 1001, "1000"),
    ],
)
def test_requests_that_ask_for_nothing_or_too_much(world: World, inside: tuple[str, ...], where: str) -> None:
    answer = world.send(RETRIEVE, asked(*inside))
    assert answer.outcome == "Failure"
    assert set(answer.codes) == {"XDSRepositoryError"}
    assert where in answer.text


def test_the_home_community_is_echoed(world: World, kept: dict[str, bytes]) -> None:
    home = "urn:oid:1.2.752.129.2.9.1"
    answer = world.send(
        RETRIEVE, asked(f"<x:HomeCommunityId>{home}</x:HomeCommunityId>" + ONE.format(REPOSITORY, next(iter(kept))))
    )
    assert answer.outcome == "Success"
    assert answer.body.findtext(".//{*}HomeCommunityId") == home


def test_blanks_and_comments_around_ids(world: World, kept: dict[str, bytes]) -> None:
    uid = next(iter(kept))
    for written in (f"\n  {uid}\t", f"<!-- c -->{uid}", f"{uid[:5]}<!-- c -->{uid[5:]}", f"<![CDATA[{uid}]]>"):
        assert world.send(RETRIEVE, asked(ONE.format(REPOSITORY, written))).outcome == "Success", written


def test_the_older_order_of_elements(world: World, kept: dict[str, bytes]) -> None:
    uid = next(iter(kept))
    reverse = f"<x:DocumentUniqueId>{uid}</x:DocumentUniqueId><x:RepositoryUniqueId>{REPOSITORY}</x:RepositoryUniqueId>"
    assert world.send(RETRIEVE, asked(reverse)).outcome in {"Success", "Failure"}


@pytest.mark.parametrize("known", [True, False])
def test_parts_sent_with_a_question_are_not_kept(world: World, kept: dict[str, bytes], known: bool) -> None:
    """Whoever sends documents with a question would else fill the disk."""
    uid, before = next(iter(kept)) if known else "1.2.3", world.temporaries()
    body = asked(ONE.format(REPOSITORY, uid) + include("a"))
    world.post("repository", *packaged(body, ("a", b"x" * 1000)))
    query = messages.find_documents(s.new().entries[0].patient_id or "").replace(
        b"</query:AdhocQueryRequest>", include("a").encode() + b"</query:AdhocQueryRequest>"
    )
    world.post("registry", *packaged(query, ("a", b"x" * 1000)))
    assert world.temporaries() == before


def test_a_large_answer_is_streamed(world: World) -> None:
    made = messages.provided(s.new())
    size = 24 * 2**20
    assert world.provide(made, {made.entries[0].id: bytes(size)}).outcome == "Success"
    body = asked(ONE.format(REPOSITORY, made.entries[0].unique_id))
    with world.client.post(
        "/xds/repository", data=body, headers=messages.headers(RETRIEVE), buffered=False
    ) as response:
        tracemalloc.start()
        length = sum(len(chunk) for chunk in response.iter_encoded())
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert length > size
    assert peak < 4 * 2**20
