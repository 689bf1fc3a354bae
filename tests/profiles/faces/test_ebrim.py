"""ebRIM in and out: what a sender writes in ITI-42 is what a consumer reads by ITI-18.

The reader here has its own table of the book's schemes, so that a scheme mixed up on the way in and out is seen.
"""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from wire.soap_world import RIM, Answer, World, open_world

from conformance import messages, synthetic
from registry.metadata.model import Author, Code, DocumentEntry, Folder, Submission
from registry.metadata.urn import Action, AssociationType, StoredQueryId

# ITI TF-3, table 4.2.5.2-1.
CODES = {
    "urn:uuid:41a5887f-8865-4c09-adf7-e362475b143a": "class_code",
    "urn:uuid:f4f85eac-e6cb-4883-b524-f2705394840f": "confidentiality_codes",
    "urn:uuid:2c6b8cb7-8b2a-4051-b291-b1ae6a575ef4": "event_codes",
    "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d": "format_code",
    "urn:uuid:f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1": "healthcare_facility_type_code",
    "urn:uuid:cccf5598-8b07-4b77-a05e-ae952c785ead": "practice_setting_code",
    "urn:uuid:f0306f51-975f-434e-a61c-c59651d33983": "type_code",
    "urn:uuid:aa543740-bdda-424e-8c96-df4873be8500": "content_type_code",
    "urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5": "codes",
}
AUTHORS = {"urn:uuid:93606bcf-9494-43ec-9b4e-a7748d1a838d", "urn:uuid:a7058bb9-b4e4-4307-ba5b-e3f0ab85e12d"}
IDENTIFIERS = {
    "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427": "patient_id",
    "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab": "unique_id",
    "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446": "patient_id",
    "urn:uuid:96fdda7c-d067-4183-912e-bf5ee74998a8": "unique_id",
    "urn:uuid:554ac39e-e3fe-47fe-b233-965d2a147832": "source_id",
    "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a": "patient_id",
    "urn:uuid:75df8f67-9973-4fbe-a900-df66cefecc5a": "unique_id",
}
SLOTS = {
    "creationTime": "creation_time",
    "languageCode": "language_code",
    "serviceStartTime": "service_start_time",
    "serviceStopTime": "service_stop_time",
    "sourcePatientId": "source_patient_id",
    "sourcePatientInfo": "source_patient_info",
    "legalAuthenticator": "legal_authenticator",
    "hash": "hash",
    "size": "size",
    "URI": "uri",
    "repositoryUniqueId": "repository_unique_id",
    "urn:ihe:iti:xds:2013:referenceIdList": "reference_ids",
    "urn:ihe:iti:xds:2010:DocumentAvailability": "document_availability",
}
AUTHOR_FIELDS = {
    "authorPerson": "person",
    "authorInstitution": "institutions",
    "authorRole": "roles",
    "authorSpecialty": "specialties",
    "authorTelecommunication": "telecommunications",
}
ODD = "a&b <i> \"q\" 'r' åäö ÅÄÖ 中 😀 &amp; ]]> \u202e\u00a0."


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("world") / "data")


_numbers = iter(range(1000, 9999))


def one(**entry: Any) -> Submission:
    """A submission of one document of a new patient; `entry` overrides its attributes."""
    number = next(_numbers)
    made = synthetic.submission(random.Random(number), synthetic.patient_id(number), 1)
    return replace(made, entries=(replace(made.entries[0], **entry),))


def values(element: Any) -> list[str]:
    return ["".join(v.itertext()) for v in element.iterfind(f"{RIM}ValueList/{RIM}Value")]


def slots(element: Any) -> dict[str, list[str]]:
    found = {s.get("name"): values(s) for s in element.iterfind(f"{RIM}Slot")}
    assert len(found) == len(element.findall(f"{RIM}Slot"))
    return found


def label(element: Any, name: str) -> str | None:
    found = element.find(f"{RIM}{name}/{RIM}LocalizedString")
    return None if found is None else str(found.get("value"))


def read(element: Any) -> dict[str, Any]:
    """Every attribute of a registry object, under the model's name; unknown slots in `extra`."""
    found: dict[str, Any] = {"id": element.get("id"), "extra": {}}
    found |= {"title": label(element, "Name"), "comments": label(element, "Description")}
    for name, texts in slots(element).items():
        if name in SLOTS:
            found[SLOTS[name]] = texts
        else:
            found["extra"][name] = texts
    for c in element.iterfind(f"{RIM}Classification"):
        assert c.get("classifiedObject") == element.get("id")
        scheme = c.get("classificationScheme")
        if scheme in AUTHORS:
            author = {AUTHOR_FIELDS.get(name, name): texts for name, texts in slots(c).items()}
            found.setdefault("authors", []).append(author)
        elif scheme is not None:
            (system,) = slots(c)["codingScheme"]
            code = (c.get("nodeRepresentation"), system, label(c, "Name"))
            found.setdefault(CODES[scheme], []).append(code)
    for i in element.iterfind(f"{RIM}ExternalIdentifier"):
        assert i.get("registryObject") == element.get("id")
        found[IDENTIFIERS[i.get("identificationScheme")]] = [i.get("value")]
    return found


def expected(thing: Any) -> dict[str, Any]:
    """The same of a model object."""
    found: dict[str, Any] = {"id": thing.id, "extra": {n: list(v) for n, v in thing.extra}}
    found |= {"title": thing.title, "comments": thing.comments}
    for name in {*SLOTS.values(), *IDENTIFIERS.values()}:
        value = getattr(thing, name, None)
        if value:
            found[name] = list(value) if isinstance(value, tuple) else [value]
    for name in CODES.values():
        value = getattr(thing, name, None)
        if value:
            many = value if isinstance(value, tuple) else (value,)
            found[name] = [(c.code, c.scheme, c.display or None) for c in many]
    if getattr(thing, "authors", ()):
        found["authors"] = [
            {f: list(getattr(a, f)) for f in AUTHOR_FIELDS.values() if getattr(a, f)}
            | {name: list(texts) for name, texts in a.extra}
            for a in thing.authors
        ]
    return found


def get(world: World, unique_id: str) -> Any:
    parameters = [("$XDSDocumentEntryUniqueId", f"('{unique_id}')")]
    answer = world.query(messages.stored_query(StoredQueryId.GET_DOCUMENTS, parameters))
    assert answer.outcome == "Success"
    (found,) = answer.objects
    return found


def contents(world: World, set_id: str) -> Answer:
    parameters = [("$XDSSubmissionSetEntryUUID", f"'{set_id}'")]
    return world.query(messages.stored_query(StoredQueryId.GET_SUBMISSION_SET_AND_CONTENTS, parameters))


def full_entry() -> dict[str, Any]:
    """Every attribute of a DocumentEntry."""
    return {
        "title": f"Utlåtande {ODD}",
        "comments": f"Slutsvar {ODD}",
        "creation_time": "20240704101500",
        "service_start_time": "2024070406",
        "service_stop_time": "20240704070000",
        "hash": "0123456789abcdef0123456789abcdef01234567",
        "size": "0",
        "language_code": "sv-SE",
        "legal_authenticator": f"7^{ODD}^Eva^^^Dr^^^&1.2.752.1&ISO",
        "source_patient_id": "L-17^^^&1.2.752.129.2.9.100.1&ISO",
        "source_patient_info": (
            "PID-3|L-17^^^&1.2.752.129.2.9.100.1&ISO",
            f"PID-5|{ODD}^Eva",
            "PID-7|19121212",
            "PID-8|F",
        ),
        "reference_ids": (
            "A1^^^&1.2.752.129.2.9.101&ISO^urn:ihe:iti:xds:2013:accession",
            "1.2.3.4^^^^urn:ihe:iti:xds:2016:studyInstanceUID",
            "O1^^^&1.2.3&ISO^urn:ihe:iti:xds:2013:order",
        ),
        "uri": "http://a.example.org/b?c=d&e=<f>",
        "repository_unique_id": "1.2.752.129.2.9.77",
        "document_availability": "urn:ihe:iti:2010:DocumentAvailability:Online",
        "authors": (
            Author(
                ("1^Alm^Eva^^^^^^&1.2.3&ISO",),
                ("Sjukhus <A>^^^^^^^^^1.2.3.4", "Klinik & B^^^^^&1.2.3&ISO^^^^9"),
                ("läkare", "chef"),
                ("radiologi",),
                ("^^Internet^eva@example.org",),
            ),
            Author(institutions=("Sjukhus C",), extra=(("urn:vendor:author", ("1", ODD)), ("shift", ("night",)))),
        ),
        "class_code": Code("IMG", "1.2.752.129.2.9.6.1", ODD),
        "confidentiality_codes": (Code("N", "2.16.840.1.113883.5.25", "normal"), Code("V", "2.16.840.1.113883.5.25")),
        "event_codes": (Code("CT", "1.2.840.10008.2.16.4", "Computed <T>"), Code("x&y", "1.2.3", "z")),
        "format_code": Code("urn:ihe:rad:PDF", "1.3.6.1.4.1.19376.1.2.3", "PDF"),
        "healthcare_facility_type_code": Code("22232009", "2.16.840.1.113883.6.96", "Hospital"),
        "practice_setting_code": Code("394914008", "2.16.840.1.113883.6.96", "Radiology"),
        "type_code": Code("85430-7", "2.16.840.1.113883.6.1", "Report"),
        "extra": (("urn:vendor:x", ("1", ODD)), ("statusReason", ("corrected",))),
    }


def test_every_attribute_comes_back_as_it_was_sent(world: World) -> None:
    sent = one(**full_entry())
    assert set(full_entry()) == {
        f for f in DocumentEntry.__dataclass_fields__
        if f not in {"id", "mime_type", "object_type", "unique_id", "patient_id", "status", "home", "logical_id",
                     "version", "limited_metadata"}
    }  # fmt: skip
    assert world.register(sent).outcome == "Success"
    found = get(world, str(sent.entries[0].unique_id))
    assert read(found) == expected(sent.entries[0])
    assert found.get("mimeType") == "application/pdf"
    assert found.get("objectType") == "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1"
    assert found.get("status") == "urn:oasis:names:tc:ebxml-regrep:StatusType:Approved"
    assert found.get("lid") == found.get("id")
    assert found.find(f"{RIM}VersionInfo").get("versionName") == "1"


def test_set_folder_and_associations_come_back_as_they_were_sent(world: World) -> None:
    sent = one()
    owner = replace(
        sent.submission_set,
        title=ODD,
        comments=ODD,
        intended_recipients=("Sjukhus C|^Bok^Bo|^^Internet^bo@example.org", "|^Cai^Cia"),
        extra=(("urn:vendor:set", (ODD,)),),
    )
    number = owner.id[-12:]
    folder = Folder(
        f"urn:uuid:00000000-0000-4000-8000-{number}",
        f"{owner.unique_id}7",
        owner.patient_id,
        ODD,
        ODD,
        codes=(Code("a", "1.2.3", ODD), Code("b", "1.2.3")),
        extra=(("urn:vendor:folder", ("x",)),),
    )
    member, entry = sent.associations[0], sent.entries[0]
    more = (
        replace(member, id=member.id[:-4] + "0001", target=folder.id),
        replace(member, id=member.id[:-4] + "0002", source=folder.id, target=entry.id, submission_set_status=None),
    )
    sent = replace(sent, submission_sets=(owner,), folders=(folder,), associations=(member, *more))
    assert world.register(sent).outcome == "Success"
    found = {e.get("id"): e for e in contents(world, owner.id).objects}
    assert {owner.id, entry.id, folder.id, member.id, more[0].id} <= set(found)
    got = read(found[owner.id])
    assert got["extra"].pop("submissionTime") == [owner.submission_time]
    assert got["extra"].pop("intendedRecipient") == list(owner.intended_recipients)
    assert got == expected(owner)
    got = read(found[folder.id])
    assert len(got["extra"].pop("lastUpdateTime", ["20240101000000"])[0]) == 14
    assert got == expected(folder)
    for association in (member, more[0]):
        element = found[association.id]
        ends = (element.get("sourceObject"), element.get("targetObject"), element.get("associationType"))
        assert ends == (association.source, association.target, AssociationType.HAS_MEMBER)
        assert slots(element) == {"SubmissionSetStatus": ["Original"]}


@pytest.mark.parametrize("character", ["\t", "\n", "\r", "\r\n", "\u0085", "\u2028", "\ufffd", "\U0010ffff"])
def test_blanks_and_rare_characters_inside_values_survive(world: World, character: str) -> None:
    """Sent as character references, which a parser hands on as they are."""
    sent = one(title="TITLE", extra=(("urn:x", ("VALUE",)),))
    reference = "".join(f"&#{ord(c)};" for c in character).encode()
    body = messages.register_document_set(sent)
    for word in (b"TITLE", b"VALUE"):
        body = body.replace(word, b"a" + reference + b"b")
    assert world.send(Action.REGISTER_DOCUMENT_SET, body).outcome == "Success"
    found = read(get(world, str(sent.entries[0].unique_id)))
    assert (found["title"], found["extra"]["urn:x"]) == (f"a{character}b", [f"a{character}b"])


def edited(sent: Submission, *edits: tuple[str, str]) -> bytes:
    body = messages.register_document_set(sent).decode()
    for old, new in edits:
        assert old in body, old
        body = body.replace(old, new)
    return body.encode()


LANGUAGE = "<rim:Value>sv-SE</rim:Value>"


@pytest.mark.parametrize(
    "written",
    [
        "<rim:Value>\n  sv-SE\t</rim:Value>",
        "<rim:Value><!-- first -->sv-SE</rim:Value>",
        "<rim:Value>sv<!-- within -->-SE</rim:Value>",
        "<rim:Value>sv-<?pi?>SE</rim:Value>",
        "<rim:Value>sv-SE<!-- last --></rim:Value>",
        "<rim:Value><![CDATA[sv-SE]]></rim:Value>",
        "<rim:Value>sv&#45;SE</rim:Value>",
        "<!-- beside --><rim:Value>sv-SE</rim:Value><?pi?>",
    ],
)
def test_a_value_is_all_of_its_text(world: World, written: str) -> None:
    """A comment is no end of a value: two readers that cut it differently can be played against each other."""
    sent = one()
    answer = world.send(Action.REGISTER_DOCUMENT_SET, edited(sent, (LANGUAGE, written)))
    assert answer.outcome == "Success", answer.text
    assert read(get(world, str(sent.entries[0].unique_id)))["language_code"] == ["sv-SE"]


def test_comments_between_all_elements_are_passed_over(world: World) -> None:
    sent = one()
    root = etree.fromstring(messages.register_document_set(sent))
    for element in list(root.iter(f"{RIM}*")):
        if len(element):
            element.insert(0, etree.Comment("first"))
            element.append(etree.ProcessingInstruction("last"))
    assert world.send(Action.REGISTER_DOCUMENT_SET, etree.tostring(root)).outcome == "Success"
    assert read(get(world, str(sent.entries[0].unique_id))) == expected(sent.entries[0])


def test_the_kind_of_a_package_may_stand_beside_it(world: World) -> None:
    sent = one()
    root = etree.fromstring(messages.register_document_set(sent))
    package = root.find(f".//{RIM}RegistryPackage")
    (node,) = package.xpath("*[@classificationNode]")
    package.getparent().append(node)
    assert world.send(Action.REGISTER_DOCUMENT_SET, etree.tostring(root)).outcome == "Success"
    found = contents(world, sent.submission_set.id)
    assert sent.submission_set.id in {e.get("id") for e in found.objects}


def test_objects_in_another_order_and_references_to_schemes_beside_them(world: World) -> None:
    sent = one()
    root = etree.fromstring(messages.register_document_set(sent))
    holder = root.find(f".//{RIM}RegistryObjectList")
    for element in reversed(list(holder)):
        holder.append(element)
    holder.insert(0, etree.Element(f"{RIM}ObjectRef", id="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"))
    assert world.send(Action.REGISTER_DOCUMENT_SET, etree.tostring(root)).outcome == "Success"


@pytest.mark.parametrize("kind", ["HasMember", "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember"])
def test_bare_association_types_are_read_and_never_written(world: World, kind: str) -> None:
    sent = one()
    body = edited(sent, (AssociationType.HAS_MEMBER.value, kind))
    assert world.send(Action.REGISTER_DOCUMENT_SET, body).outcome == "Success"
    types = {e.get("associationType") for e in contents(world, sent.submission_set.id).objects} - {None}
    assert types == {AssociationType.HAS_MEMBER.value}


def test_bare_relations_too(world: World) -> None:
    first = one()
    assert world.register(first).outcome == "Success"
    second = one(patient_id=first.entries[0].patient_id)
    owner = replace(second.submission_set, patient_id=first.submission_set.patient_id)
    member = second.associations[0]
    replacing = replace(
        member, id=member.id[:-4] + "0001", type="RPLC", source=member.target, target=first.entries[0].id,
        submission_set_status=None,
    )  # fmt: skip
    second = replace(second, submission_sets=(owner,), associations=(member, replacing))
    assert world.register(second).outcome == "Success"
    assert get(world, str(first.entries[0].unique_id)).get("status").endswith(":Deprecated")
    parameters = [("$uuid", f"('{first.entries[0].id}')")]
    links = world.query(messages.stored_query(StoredQueryId.GET_ASSOCIATIONS, parameters)).objects
    assert AssociationType.RPLC in {e.get("associationType") for e in links}


@pytest.mark.parametrize(
    "empty",
    [
        "<rim:Name/><rim:Description/>",
        '<rim:Name><rim:LocalizedString value=""/></rim:Name><rim:Description></rim:Description>',
        "",
    ],
)
def test_empty_names_are_no_names(world: World, empty: str) -> None:
    sent = one(title=None, comments=None)
    body = edited(sent, ('isOpaque="false">', f'isOpaque="false">{empty}'))
    assert world.send(Action.REGISTER_DOCUMENT_SET, body).outcome == "Success"
    found = read(get(world, str(sent.entries[0].unique_id)))
    assert (found["title"], found["comments"]) == (None, None)


def test_symbolic_ids_become_uuids(world: World) -> None:
    sent = one()
    ids = {o.id: f"Object{n:02d}" for n, o in enumerate(sent.objects())}
    body = edited(sent, *ids.items())
    assert world.send(Action.REGISTER_DOCUMENT_SET, body).outcome == "Success"
    found = get(world, str(sent.entries[0].unique_id))
    assert found.get("id").startswith("urn:uuid:")
    assert read(found) == expected(sent.entries[0]) | {"id": found.get("id")}


def test_ids_in_upper_case_are_the_same_ids(world: World) -> None:
    sent = one()
    ids = [(o.id, "urn:uuid:" + o.id.removeprefix("urn:uuid:").upper()) for o in sent.objects()]
    assert world.send(Action.REGISTER_DOCUMENT_SET, edited(sent, *ids)).outcome == "Success"
    assert get(world, str(sent.entries[0].unique_id)).get("id") == sent.entries[0].id
