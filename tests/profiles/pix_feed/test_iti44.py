"""ITI-44 by zeep on the published WSDL, and by hand: the same news as ITI-8, answered by MCCI_IN000002UV01."""

from typing import Any

import pytest
import soap_client
from feed_world import ANNA, BO, PNR, FeedWorld, a01, number
from lxml import etree
from wire.soap_world import judged, served

from conformance import messages
from registry.metadata.urn import Action, Namespace

V3 = f"{{{Namespace.HL7_V3}}}"
ADD, REVISE, MERGE = Action.PATIENT_ADDED, Action.PATIENT_REVISED, Action.PATIENTS_MERGED
FOREIGN = '<id root="1.2.3" extension="9"/>'
OURS = f'<id root="{PNR}" extension="{number(ANNA)}"/>'
PERSON = (
    '<patientPerson classCode="PSN" determinerCode="INSTANCE">'
    '<name use="P"><family>Kallad</family><given>A</given></name>'
    '<name use="L"><family>Åkesson</family><given>Anna</given><given>Maria</given></name>'
    '<administrativeGenderCode code="{sex}"/><birthTime value="{born}"/></patientPerson>'
)


def wrapper(inside: str, name: str) -> str:
    """The inside of a message, in the namespace of HL7 v3."""
    return (
        '<id root="1.2.9.7" extension="4711"/><creationTime value="20260101120000"/>'
        f'<interactionId root="2.16.840.1.113883.1.6" extension="{name}"/>'
        '<processingCode code="P"/><processingModeCode code="T"/><acceptAckCode code="AL"/>'
        '<receiver typeCode="RCV"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.9.1"/></device></receiver>'
        '<sender typeCode="SND"><device classCode="DEV" determinerCode="INSTANCE"><id root="1.2.9.2"/></device></sender>'
        f'<controlActProcess classCode="CACT" moodCode="EVN">{inside}</controlActProcess>'
    )


def event(ids: str = OURS, prior: str | None = None, born: str = "19121212", sex: str = "F") -> str:
    role = f'<priorRegisteredRole classCode="PAT">{prior}</priorRegisteredRole>'
    replacement = (
        f'<replacementOf typeCode="RPLC"><priorRegistration classCode="REG" moodCode="EVN">'
        f'<statusCode code="obsolete"/><subject1 typeCode="SBJ">{role}</subject1></priorRegistration></replacementOf>'
    )
    return (
        '<subject typeCode="SUBJ"><registrationEvent classCode="REG" moodCode="EVN"><statusCode code="active"/>'
        f'<subject1 typeCode="SBJ"><patient classCode="PAT">{ids}<statusCode code="active"/>'
        f"{PERSON.format(born=born, sex=sex)}</patient></subject1>"
        f"{replacement if prior is not None else ''}</registrationEvent></subject>"
    )


def body(action: Action, inside: str) -> str:
    name = action.rpartition(":")[2]
    return f'<{name} xmlns="{Namespace.HL7_V3}" ITSVersion="XML_1.0">{wrapper(inside, name)}</{name}>'


class Answered:
    def __init__(self, found: Any) -> None:
        self.body = found
        assert found.tag == f"{V3}MCCI_IN000002UV01"

    def value(self, path: str, attribute: str) -> list[str]:
        return [e.get(attribute, "") for e in self.body.findall("/".join(V3 + name for name in path.split("/")))]

    @property
    def code(self) -> str:
        return self.value("acknowledgement/typeCode", "code")[0]

    @property
    def details(self) -> list[tuple[str, str, str]]:
        return [
            (d.find(f"{V3}code").get("code"), d.findtext(f"{V3}text"), d.findtext(f"{V3}location") or "")
            for d in self.body.iter(f"{V3}acknowledgementDetail")
        ]


def send(world: FeedWorld, action: Action, inside: str, content: str | None = None) -> Answered:
    envelope = messages.envelope(action, content or body(action, inside))
    status, _, data = world.raw("registry", messages.headers(action), envelope)
    assert status == 200
    root = etree.fromstring(data)
    (found,) = root.find(f"{{{Namespace.SOAP}}}Body")
    assert root.findtext(f"{{{Namespace.SOAP}}}Header/{{{Namespace.ADDRESSING}}}Action") == Action.ACKNOWLEDGED
    return Answered(found)


@pytest.mark.parametrize("action", [ADD, REVISE])
def test_a_patient_that_is_told_of_is_known(small: FeedWorld, action: Action) -> None:
    answer = send(small, action, event(FOREIGN + OURS, sex="UN"))
    assert (answer.code, answer.details) == ("AA", [])
    patient = small.patient(ANNA)
    assert patient["name"] == [{"family": "Åkesson", "given": ["Anna", "Maria"]}]
    assert (patient["gender"], patient["birthDate"]) == ("other", "1912-12-12")
    assert small.sql("SELECT is_fed FROM patient") == [(1,)]
    action_code = small.sql("SELECT action FROM audit")
    assert action_code == [("C" if action is ADD else "U",)]


def test_the_answer_names_what_it_answers(small: FeedWorld) -> None:
    answer = send(small, ADD, event())
    assert answer.value("acknowledgement/targetMessage/id", "extension") == ["4711"]
    assert answer.value("acknowledgement/targetMessage/id", "root") == ["1.2.9.7"]
    assert answer.value("receiver/device/id", "root") == ["1.2.9.2"]
    assert answer.value("sender/device/id", "root") == ["1.2.9.1"]
    assert answer.value("interactionId", "extension") == ["MCCI_IN000002UV01"]


def test_duplicates_resolved_are_merged_and_followed(world: FeedWorld) -> None:
    _, made = world.submit(ANNA)
    answer = send(world, MERGE, event(f'<id root="{PNR}" extension="{number(BO)}"/>', OURS))
    assert answer.code == "AA", answer.details
    assert [e.get("id") for e in world.documents(BO).objects] == [made.entries[0].id]
    assert world.patient(ANNA)["active"] is False
    again = send(world, MERGE, event(f'<id root="{PNR}" extension="{number(BO)}"/>', OURS))
    assert again.code == "AA"


FAULTS = {
    "a foreign id": (ADD, event(FOREIGN), "KEY204", "patient.id"),
    "no id": (ADD, event(""), "SYN101", "patient.id"),
    "no patient": (ADD, "", "SYN101", "registrationEvent.subject1.patient"),
    "two patients": (REVISE, event() + event(), "SYN101", "registrationEvent.subject1.patient"),
    "no such day": (ADD, event(born="19121399"), "SYN102", "patientPerson.birthTime"),
    "nobody replaced": (MERGE, event(), "SYN101", "replacementOf.priorRegistration.subject1.priorRegisteredRole"),
    "a foreign id replaced": (MERGE, event(prior=FOREIGN), "KEY204", "priorRegisteredRole.id"),
    "merged with itself": (MERGE, event(prior=OURS), "KEY205", "patient"),
    "a delimiter": (ADD, event(f'<id root="{PNR}" extension="1^2"/>'), "SYN102", "patient.id"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_in_a_good_message_is_named(small: FeedWorld, fault: str) -> None:
    action, inside, code, where = FAULTS[fault]
    answer = send(small, action, inside)
    assert answer.code == "AE"
    ((found, text, place),) = answer.details
    assert (found, place) == (code, where)
    assert "TF-" in text
    assert answer.value("acknowledgement/targetMessage/id", "extension") == ["4711"]
    assert small.rows_of("patient") == 0


def test_a_bare_message_is_answered(small: FeedWorld) -> None:
    answer = send(small, ADD, "", f'<PRPA_IN201301UV02 xmlns="{Namespace.HL7_V3}" ITSVersion="XML_1.0"/>')
    assert answer.code == "AE"
    assert answer.value("acknowledgement/targetMessage/id", "nullFlavor") == ["UNK"]


def test_an_action_and_a_body_that_disagree_are_a_fault(small: FeedWorld) -> None:
    envelope = messages.envelope(ADD, body(REVISE, event()))
    answer = judged(*small.raw("registry", messages.headers(ADD), envelope))
    assert answer.fault
    assert answer.fault[1] == "ActionMismatch"


def test_with_known_it_opens_the_door(strict: FeedWorld) -> None:
    assert strict.submit(ANNA)[0].codes == ["XDSUnknownPatientId"]
    assert send(strict, MERGE, event(prior=f'<id root="{PNR}" extension="{number(BO)}"/>')).details[0][0] == "KEY204"
    assert send(strict, ADD, event()).code == "AA"
    assert strict.submit(ANNA)[0].outcome == "Success"


@pytest.mark.parametrize("operation", ["Add", "Revise", "ResolveDuplicates"])
def test_a_client_made_of_the_wsdl_is_understood(small: FeedWorld, operation: str) -> None:
    small.feed(a01(BO))
    action = {"Add": ADD, "Revise": REVISE, "ResolveDuplicates": MERGE}[operation]
    prior = f'<id root="{PNR}" extension="{number(BO)}"/>' if action is MERGE else None
    parts = list(etree.fromstring(body(action, event(prior=prior))))
    with served(small) as url:
        client = soap_client.client(f"{url}/xds/registry?wsdl")
        # The WSDL names the address of the settings; this server got another port.
        service = client.create_service(f"{{{Namespace.XDS_B}}}registryBinding", f"{url}/xds/registry")
        answer = getattr(service, f"PatientIdentityFeedHL7V3{operation}")(_value_1=parts, ITSVersion="XML_1.0")
    codes = [one.get("code") for part in answer["_value_1"] for one in part.iter(f"{V3}typeCode")]
    assert codes == ["AA"]
    assert small.patient(ANNA)["active"] is True
