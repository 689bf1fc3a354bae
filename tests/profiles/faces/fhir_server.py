"""A FHIR server over an actor that notes what it is asked and gives what the test put there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from profiles.catalog import Profile
from profiles.faces.fhir_http import register
from profiles.imaging_fhir.profile import PROFILE as IMAGING
from profiles.mhd.profile import PROFILE as MHD
from profiles.settings import Settings
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Rejected
from registry.queries import FindDocuments, FindResources, ResourceType
from registry.resources import Found, StoredResource

BASE_URL = "http://127.0.0.1:8080"
FHIR = f"{BASE_URL}/fhir"
PATIENT = "9a1c3c0e-0000-4000-8000-000000000001"
PATIENT_CX = "191212121212^^^&1.2.752.129.2.1.3.1&ISO"
PATIENT_TOKEN = "urn:oid:1.2.752.129.2.1.3.1|191212121212"


@dataclass
class FakeRegistry:
    """Finds `held` of the type asked for, a page at a time, whatever else is asked."""

    held: list[StoredResource] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)

    def find_document_references(self, query: FindDocuments, caller: Caller) -> Found:
        return self._find(query, ResourceType.DOCUMENT_REFERENCE)

    def search(self, query: FindResources, caller: Caller) -> Found:
        return self._find(query, query.type)

    def _find(self, query: Any, type: ResourceType) -> Found:
        self.asked.append(query)
        matches = [one for one in self.held if one.type is type and (not query.ids or one.id in query.ids)]
        start = 0
        if query.page.after:
            start = next(n for n, one in enumerate(matches, 1) if one.id == query.page.after[1])
        page = matches[start : start + query.page.size]
        more = start + len(page) < len(matches)
        return Found(page, len(matches), (page[-1].updated, page[-1].id) if more else None)

    def read(self, type: ResourceType, id: str, caller: Caller) -> StoredResource:
        for one in self.held:
            if (one.type, one.id) == (type, id):
                return one
        raise Rejected.because(ErrorCode.NotFound, f"{type}/{id}", "there is no such resource here", "FHIR R4")

    def patient_ids(self, fhir_id: str) -> tuple[str, ...]:
        return (PATIENT_CX,) if fhir_id == PATIENT else ()

    def every_id(self, patient_ids: Iterable[str]) -> frozenset[str]:
        return frozenset(patient_ids)

    def entries(self, ids: Iterable[str], caller: Caller) -> Sequence[Any]:
        return [
            SimpleNamespace(unique_id=id, repository_unique_id=self.documents[id].repository)
            for id in ids
            if id in self.documents
        ]


@dataclass
class FakeDocument:
    mime_type: str
    content: bytes
    sha1: str = "0" * 40
    repository: str = "1.2.3"

    @property
    def size(self) -> int:
        return len(self.content)

    def chunks(self) -> Iterable[bytes]:
        return (self.content[i : i + 7] for i in range(0, len(self.content), 7))


@dataclass
class FakeRepository:
    held: dict[str, FakeDocument]
    repository_unique_id: str = "1.2.3"

    def document(self, unique_id: str, caller: Caller) -> FakeDocument:
        return self.held[unique_id]


@dataclass
class Server:
    registry: FakeRegistry
    client: FlaskClient

    def ask(self, path: str, **headers: str) -> Any:
        """The last question that a search at /fhir/<path> makes; it must succeed."""
        answer = self.client.get(f"/fhir/{path}", headers=headers)
        assert answer.status_code == 200, answer.text
        return replace(self.registry.asked[-1], page=None)


def server(profiles: Sequence[Profile] = (MHD, IMAGING)) -> Server:
    registry = FakeRegistry()
    house = SimpleNamespace(
        settings=Settings(), registry=registry, repository=FakeRepository(registry.documents), imaging=None
    )
    app = Flask("fhir")
    register(app, profiles, house, BASE_URL, "1.2.3")
    return Server(registry, app.test_client())


def stored(type: ResourceType, id: str, body: bytes, version: int = 1, status: str = "current") -> StoredResource:
    return StoredResource(type, id, version, 1_700_000_000.25, status, body)
