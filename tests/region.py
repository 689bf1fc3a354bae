"""A running server seen by its users: SOAP by zeep, FHIR and DICOMweb by HTTP, and its stores from outside."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import examination
import requests
import running
import soap_client
import sqlalchemy
import zeep
from dicomweb_client.api import DICOMwebClient
from examination import STOW, Dialect, Document, Person, Study, multipart, packed, provided, slot, submission
from fhir.resources.R4B import get_fhir_model_class

from registry.metadata.urn import ResponseStatus, Status, StoredQueryId

WAIT = 30.0  # seconds until something that happens in the background must have happened
ROWS = (
    "document",
    "study",
    "series",
    "instance",
    "document_entry",
    "submission_set",
    "folder",
    "association",
    "entry_code",
    "entry_author",
    "reference_id",
    "imaging_study",
    "diagnostic_report",
    "patient",
)


def eventually(what: Callable[[], Any], message: str) -> Any:
    """The first true thing that `what` gives, before the deadline."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"in {WAIT} s: {message}")


@dataclass
class Region:
    """A server and its clients."""

    server: running.RunningServer
    database: str

    @property
    def url(self) -> str:
        return self.server.base_url

    @cached_property
    def session(self) -> requests.Session:
        return requests.Session()

    @cached_property
    def system(self) -> dict[str, Any]:
        """What the server says of itself to whoever configures a peer."""
        return dict(self.session.get(f"{self.url}/conformance/system", timeout=10).json())

    def soap(self, service: str) -> zeep.Client:
        """zeep on the WSDL that the server publishes."""
        return self._soaps.setdefault(service, soap_client.client(self.system["addresses"]["soap"][service]["wsdl"]))

    @cached_property
    def _soaps(self) -> dict[str, zeep.Client]:
        return {}

    @cached_property
    def dicomweb(self) -> DICOMwebClient:
        return DICOMwebClient(self.system["addresses"]["dicomweb"])

    @cached_property
    def repository(self) -> str:
        return str(self.system["oids"]["repositoryUniqueId"])

    # --- in ---

    def stow(self, *objects: bytes, status: int = 200) -> dict[str, Any]:
        answer = self.session.post(f"{self.url}/dicomweb/studies", multipart(*objects), headers=STOW, timeout=60)
        assert answer.status_code == status, answer.text
        return dict(answer.json())

    def publish(self, study: Study) -> dict[str, Any]:
        answer = self.session.post(f"{self.url}/xds/imaging/studies/{study.uid}/publish", timeout=60)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def provide(self, *documents: Document, **more: str) -> Any:
        """ITI-41 by zeep."""
        service = self.soap("repository").service
        return service.ProvideAndRegisterDocumentSetB(**provided(*documents, **more))

    def message(self, *documents: Document, dialect: Dialect = examination.AXIS2, **more: str) -> tuple[str, bytes]:
        """An ITI-41 written by hand around zeep's envelope."""
        client = self.soap("repository")
        arguments = provided(*documents, **more)
        envelope = client.create_message(client.service, "ProvideAndRegisterDocumentSetB", **arguments)
        return packed(envelope, [document.content for document in documents], dialect)

    def post(self, service: str, content_type: str, body: Any, timeout: float = 60) -> requests.Response:
        headers = {"Content-Type": content_type}
        return requests.post(f"{self.url}/xds/{service}", data=body, headers=headers, timeout=timeout)

    def register(self, *documents: Document, **more: str) -> Any:
        """ITI-42 by zeep."""
        return self.soap("registry").service.RegisterDocumentSetB(**submission(*documents, **more))

    # --- out by SOAP ---

    def query(self, query: StoredQueryId, returns: str = "LeafClass", **parameters: str | list[str]) -> Any:
        """ITI-18 by zeep; `_` begins a parameter that the book begins with $XDSDocumentEntry."""
        slots = []
        for name, value in parameters.items():
            full = f"$XDSDocumentEntry{name[1:]}" if name.startswith("_") else f"${name}"
            # A list is a Slot for each of its values: AND.
            slots += [slot(full, one) for one in ([value] if isinstance(value, str) else value)]
        return self.soap("registry").service.RegistryStoredQuery(
            ResponseOption={"returnType": returns, "returnComposedObjects": True},
            AdhocQuery={"id": query, "Slot": slots},
        )

    def documents_of(self, who: Person, status: Status = Status.APPROVED, **more: Any) -> list[Any]:
        """The ExtrinsicObjects of a person."""
        answer = self.query(StoredQueryId.FIND_DOCUMENTS, _PatientId=f"'{who.cx}'", _Status=f"('{status}')", **more)
        assert answer.status == ResponseStatus.SUCCESS, answer
        return [one["ExtrinsicObject"] for one in objects(answer) if "ExtrinsicObject" in one]

    def retrieve(self, *wanted: tuple[str, str]) -> Any:
        """ITI-43 by zeep."""
        asked = [{"RepositoryUniqueId": repository, "DocumentUniqueId": document} for repository, document in wanted]
        return self.soap("repository").service.RetrieveDocumentSet(DocumentRequest=asked)

    # --- out by FHIR ---

    def fhir(self, path: str, status: int = 200, **parameters: Any) -> dict[str, Any]:
        """A resource, which pydantic models of another hand have passed."""
        url = path if "://" in path else f"{self.url}/fhir/{path}"
        answer = self.session.get(url, params={k.replace("__", "."): v for k, v in parameters.items()}, timeout=30)
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"].startswith("application/fhir+json")
        found: dict[str, Any] = answer.json()
        get_fhir_model_class(found["resourceType"]).model_validate_json(answer.content)
        return found

    def search(self, type_: str, **parameters: Any) -> list[dict[str, Any]]:
        """Every match, over all pages."""
        return [found for page in self.pages(type_, **parameters) for found in matches(page)]

    def pages(self, type_: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        page = self.fhir(type_, **parameters)
        while True:
            yield page
            following = [link["url"] for link in page["link"] if link["relation"] == "next"]
            if not following:
                return
            page = self.fhir(following[0])

    def study(self, study: Study) -> list[dict[str, Any]]:
        return self.search("ImagingStudy", identifier=f"urn:dicom:uid|urn:oid:{study.uid}")

    # --- from outside ---

    def count(self) -> dict[str, int]:
        """Rows of each table, and files of the blob store."""
        engine = sqlalchemy.create_engine(self.database, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            found = {
                t: int(connection.execute(sqlalchemy.text(f"SELECT count(*) FROM {t}")).scalar_one()) for t in ROWS
            }
        return found | {"files": examination.files_under(self.server.data / "blobs")}

    def sql(self, text: str, **parameters: Any) -> list[Any]:
        engine = sqlalchemy.create_engine(self.database, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            return list(connection.execute(sqlalchemy.text(text), parameters))

    def fsck(self, *flags: str) -> Any:
        return running.run_xdsi("fsck", *flags, "--data", str(self.server.data), XDSI_DATABASE_URL=self.database)


def start(data: Any, database: str = "", **settings: str) -> Region:
    """A server on `data`; `database` is empty for SQLite."""
    if database:
        settings["XDSI_DATABASE_URL"] = database
    found = running.start(data, **settings)
    return Region(found, database or f"sqlite:///{data / 'registry.sqlite'}")


def objects(answer: Any) -> list[Any]:
    listed = answer.RegistryObjectList
    return list(listed._value_1 or []) if listed is not None else []


def codes(answer: Any) -> list[str]:
    """errorCode of each error in a zeep answer."""
    listed = answer.RegistryErrorList
    return [error.errorCode for error in listed.RegistryError] if listed is not None else []


def matches(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [e["resource"] for e in page.get("entry", []) if e["search"]["mode"] == "match"]


def slots_of(entry: Any) -> dict[str, list[str]]:
    return {one.name: list(one.ValueList.Value) for one in entry.Slot}


def coded(entry: Any, scheme: str) -> list[tuple[str, str, str]]:
    """(code, coding scheme, display) of each classification of `scheme`."""
    return [
        (
            one.nodeRepresentation,
            next(s.ValueList.Value[0] for s in one.Slot if s.name == "codingScheme"),
            one.Name.LocalizedString[0].value if one.Name else "",
        )
        for one in entry.Classification
        if one.classificationScheme == scheme
    ]


def identified(entry: Any, scheme: str) -> str:
    return str(next(one.value for one in entry.ExternalIdentifier if one.identificationScheme == scheme))


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def query_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query)
