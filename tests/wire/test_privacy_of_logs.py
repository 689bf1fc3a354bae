"""Whatever a message says, and whatever is wrong with it: no log line has its patient's id or name."""

import logging
from collections.abc import Iterator
from io import StringIO

import pytest
import structlog
from wire import submissions as s
from wire.imaging import manifest, manifest_submission, new_uid
from wire.soap_world import World, include, packaged

from conformance import messages
from profiles import logs
from registry.metadata.model import Submission
from registry.metadata.urn import Action, Namespace, StoredQueryId

NUMBER, FAMILY, GIVEN = "181203049876", "Zqprivatson", "Xwhemlig"
PATIENT = f"{NUMBER}^^^&1.2.752.129.2.1.3.1&ISO"
LOCAL = "LOKAL-778899"
SECRETS = (NUMBER, "9876^^^", FAMILY, GIVEN, LOCAL, "Utlåtandehemlighet", "DOKUMENTTEXT")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What the server writes to its log, down to debug."""
    out, root = StringIO(), logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    monkeypatch.setattr("sys.stderr", out)
    logs.configure(logging.DEBUG)
    root.setLevel(logging.DEBUG)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


def personal(**entry: object) -> Submission:
    local = f"{LOCAL}^^^&1.2.752.129.2.9.100.1&ISO"
    said = {
        "title": "Utlåtandehemlighet",
        "source_patient_id": local,
        "source_patient_info": (f"PID-3|{local}", f"PID-5|{FAMILY}^{GIVEN}", "PID-7|18120304"),
        "legal_authenticator": f"^{FAMILY}^{GIVEN}",
    }
    return s.of_patient(s.new(**(said | entry)), PATIENT)


def query(*slots: tuple[str, str]) -> bytes:
    status = ("$XDSDocumentEntryStatus", "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')")
    return messages.stored_query(StoredQueryId.FIND_DOCUMENTS, [status, *slots])


def test_good_and_bad_messages_of_all_transactions(world: World, written: StringIO) -> None:
    good = personal()
    world.register(good)
    world.register(good)
    for wrong in (
        {"creation_time": f"{FAMILY}^{GIVEN}"},
        {"size": FAMILY},
        {"legal_authenticator": f"^^{GIVEN}"},
        {"reference_ids": (f"{LOCAL}^^^&1.2&ISO",)},
        {"extra": ((f"urn:{FAMILY}", (NUMBER,)),)},
    ):
        world.raw(
            "registry",
            messages.headers(Action.REGISTER_DOCUMENT_SET),
            messages.register_document_set(personal(**wrong)),
        )
    world.register(s.of_patient(personal(), f"{NUMBER}^^^&1.2.3&ISO"))
    world.register(s.entry(personal(), patient_id=NUMBER))
    provided = messages.provided(personal())
    world.provide(provided, {provided.entries[0].id: b"DOKUMENTTEXT"})
    world.provide(messages.provided(personal()), {f"urn:{FAMILY}": b"DOKUMENTTEXT"})
    inline = f'<x:Document id="{FAMILY}">{NUMBER}!</x:Document></x:ProvideAndRegisterDocumentSetRequest>'
    inline = f'<x:ProvideAndRegisterDocumentSetRequest xmlns:x="{Namespace.XDS_B}">{inline}'
    body = messages.envelope(Action.PROVIDE_AND_REGISTER_DOCUMENT_SET, inline)
    world.raw("repository", *packaged(body))
    for slots in (
        ("$XDSDocumentEntryPatientId", f"'{PATIENT}'"),
        ("$XDSDocumentEntryPatientId", f"'{NUMBER}'"),
        ("$XDSDocumentEntryAuthorPerson", f"('%{FAMILY}%')"),
        (f"${FAMILY}", f"'{NUMBER}'"),
    ):
        world.raw("registry", messages.headers(Action.REGISTRY_STORED_QUERY), query(slots))
    world.retrieve((FAMILY, NUMBER))
    study, sop = new_uid(), new_uid()
    made = s.of_patient(manifest_submission(sop, study), PATIENT)
    world.provide(made, {made.entries[0].id: manifest(PATIENT, study, sop, PatientName=f"{FAMILY}^{GIVEN}")})
    text = written.getvalue()
    assert '"event":' in text, "nothing was logged at all"
    assert [secret for secret in SECRETS if secret in text] == []


def test_envelopes_that_cannot_be_read(world: World, written: StringIO) -> None:
    for body in (
        f"<{FAMILY}>".encode(),
        messages.envelope(f"urn:{FAMILY}", f"<a>{PATIENT.replace('&', '&amp;')}</a>"),
        query(("$XDSDocumentEntryPatientId", f"'{PATIENT}'")).replace(b"</soap:Body>", FAMILY.encode()),
    ):
        world.post("registry", {"Content-Type": "application/soap+xml"}, body)
    world.post("repository", *packaged(b"<a/>" + include(FAMILY).encode(), (FAMILY, NUMBER.encode())))
    world.post("registry", {"Content-Type": f"application/{FAMILY}"}, b"")
    assert [secret for secret in SECRETS if secret in written.getvalue()] == []


def test_internal_errors(world: World, written: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator gets the place of the error and no message, which may quote what was sent."""

    def broken(*_: object) -> None:
        raise RuntimeError(f"{PATIENT} {FAMILY}")

    monkeypatch.setattr(type(world.house.registry), "register", broken)
    monkeypatch.setattr(type(world.house.registry), "query", broken)
    made = messages.provided(personal())
    content_type, chunks = messages.provide_and_register(made, {made.entries[0].id: [b"DOKUMENTTEXT"]})
    answers = [
        world.raw(
            "registry", messages.headers(Action.REGISTER_DOCUMENT_SET), messages.register_document_set(personal())
        ),
        world.raw("repository", {"Content-Type": content_type}, b"".join(chunks)),
        world.raw(
            "registry",
            messages.headers(Action.REGISTRY_STORED_QUERY),
            query(("$XDSDocumentEntryPatientId", f"'{PATIENT}'")),
        ),
    ]
    text = written.getvalue()
    assert text.count("RuntimeError") == 3
    assert [secret for secret in SECRETS if secret in text] == []
    assert not any(FAMILY.encode() in content for _, _, content in answers)
