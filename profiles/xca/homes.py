"""What the gateways say of communities: `home` on every object, `location` on every error (ITI TF-2, 3.38.4.1.3)."""

from collections.abc import Iterable
from dataclasses import replace

from profiles.document_sharing.query_tables import SINGLE_PATIENT
from profiles.document_sharing.retrieve import Document, document_of
from profiles.house import House
from registry.access import Caller
from registry.answers import Answer
from registry.metadata.errors import Finding, Rejected
from repository.service import DocumentRequest


def needs_home(query_id: str) -> bool:
    """Whether the stored query names no patient, and so must name a community (ITI TF-2, 3.18.4.1.2.3.8).

    False for an id that is no stored query's: of that, nothing can be said.
    """
    shape = next((shape for id_, shape in SINGLE_PATIENT.items() if id_ == query_id.strip().lower()), None)
    return shape is not None and not shape.names_patient


def located(findings: Iterable[Finding], home: str) -> list[Finding]:
    """The findings as a gateway tells them: their location is the community, what they are about stands in the text."""
    return [replace(f, where=home, text=f"{f.where}: {f.text}" if f.where else f.text) for f in findings]


def rejected_at(rejected: Rejected, home: str) -> Rejected:
    """A refusal as a gateway tells it."""
    return Rejected(located(rejected.findings, home))


def at_home(answer: Answer, home: str) -> Answer:
    """What a registry found, as its community's: `home` is what a retrieve must name later, whatever was submitted."""
    return replace(
        answer,
        objects=tuple(one._replace(home=home) for one in answer.objects),
        refs=tuple(one._replace(home=home) for one in answer.refs),
    )


def in_this_community(requests: list[DocumentRequest], house: House, caller: Caller) -> list[Document | Finding]:
    """Each document of this community's repository, or why not, in the order asked; every request names us as home."""
    if not requests:
        return []
    found = [document_of(one) for one in house.repository.retrieve(requests, caller)]
    return [located([one], house.communities.own)[0] if isinstance(one, Finding) else one for one in found]
