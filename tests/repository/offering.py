"""A server on stores of either engine, a study in it, and what a consumer of on-demand manifests sees."""

import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import sqlalchemy
from wire.imaging import CALLER, Study
from wire.soap_world import REPOSITORY, XDSB, Answer, World

from conformance import messages
from profiles.app import create_app
from profiles.house import House
from profiles.settings import Settings
from registry.metadata.urn import AssociationType, ObjectType, Status, StoredQueryId
from repository.imaging.kos_reader import read_manifest


@dataclass(frozen=True)
class Given:
    """One DocumentResponse."""

    repository: str
    uid: str
    new_repository: str | None
    new_uid: str | None
    content: bytes


@dataclass
class Place:
    """Stores that a server runs on, again and again, and a study in them."""

    url: str
    data: Path
    world: World
    study: Study

    def restart(self, **settings: Any) -> None:
        self.world = opened(self.url, self.data, **settings)

    def store(self, *objects: bytes) -> None:
        outcomes = self.world.house.imaging.store([[one] for one in objects], CALLER)
        assert [o.finding for o in outcomes] == [None] * len(objects)

    def offer(self, status: int = 200, uid: str = "") -> dict[str, Any]:
        path = f"/xds/imaging/studies/{uid or self.study.uid}/on-demand"
        with self.world.client.post(path) as response:
            assert response.status_code == status, response.text
            return dict(response.get_json())

    def retrieve(self, *uids: str) -> Answer:
        return self.world.retrieve(*((REPOSITORY, uid) for uid in uids))

    def given(self, uid: str) -> Given:
        answer = self.retrieve(uid)
        assert answer.outcome == "Success", answer.text
        (only,) = documents(answer)
        assert (only.repository, only.uid) == (REPOSITORY, uid)
        return only

    def error(self, uid: str) -> tuple[str, str]:
        answer = self.retrieve(uid)
        assert (answer.outcome, len(answer.errors)) == ("Failure", 1), answer.text
        assert answer.errors[0].location == uid
        return answer.errors[0].code, answer.errors[0].context

    def found(self, *types: ObjectType, status: Status = Status.APPROVED) -> dict[str, str]:
        """uniqueId -> entryUUID of the patient's documents."""
        slots = [
            ("$XDSDocumentEntryPatientId", f"'{self.study.who.cx}'"),
            ("$XDSDocumentEntryStatus", f"('{status}')"),
            *((("$XDSDocumentEntryType", "(" + ",".join(f"'{t}'" for t in types) + ")"),) if types else ()),
        ]
        answer = self.world.query(messages.stored_query(StoredQueryId.FIND_DOCUMENTS, slots))
        assert answer.outcome == "Success", answer.text
        name = "XDSDocumentEntry.uniqueId"
        return {
            identifier.get("value"): entry.get("id")
            for entry in answer.objects
            for identifier in entry.iter("{*}ExternalIdentifier")
            if identifier.find(".//{*}LocalizedString").get("value") == name
        }

    def relations(self, entry_id: str) -> set[tuple[str, str, str]]:
        """(type, source, target) of an entry's associations but those of sets."""
        answer = self.world.query(messages.stored_query(StoredQueryId.GET_ASSOCIATIONS, [("$uuid", f"('{entry_id}')")]))
        found = {(a.get("associationType"), a.get("sourceObject"), a.get("targetObject")) for a in answer.objects}
        return {one for one in found if one[0] != AssociationType.HAS_MEMBER}

    def sql(self, text: str) -> list[Any]:
        engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool)
        with engine.begin() as connection:
            result = connection.execute(sqlalchemy.text(text))
            return list(result) if result.returns_rows else []

    def counts(self) -> list[int]:
        tables = ("document", "document_entry", "submission_set", "association", "on_demand")
        return [self.sql(f"SELECT count(*) FROM {t}")[0][0] for t in tables]


def opened(url: str, data: Path, **settings: Any) -> World:
    houses: list[House] = []
    app = create_app(Settings.load(data=data, database_url=url, **settings), [lambda _, house: houses.append(house)])
    return World(app, houses[0], data)


def documents(answer: Answer) -> list[Given]:
    names = ("RepositoryUniqueId", "DocumentUniqueId", "NewRepositoryUniqueId", "NewDocumentUniqueId", "Document")
    texts = [[d.findtext(XDSB + name) for name in names] for d in answer.body.iter(f"{XDSB}DocumentResponse")]
    return [Given(*ids, b64decode(content)) for *ids, content in texts]


def listed(given: Given) -> set[str]:
    """SOP Instance UIDs that the manifest lists; its own UID is what the answer calls it."""
    manifest = read_manifest(BytesIO(given.content), len(given.content))
    assert manifest.sop_instance_uid == given.new_uid
    return {i.sop_instance_uid for study in manifest.studies for series in study.series for i in series.instances}


def at_once(what: Callable[[], Any], threads: int = 4) -> list[Any]:
    """What each of several threads got, which started together."""
    start, got = threading.Barrier(threads), []

    def run() -> None:
        start.wait()
        got.append(what())

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(got) == threads
    return got
