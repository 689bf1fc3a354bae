"""A registry with both of its feeds open: MLLP on a port of its own, SOAP, FHIR and DICOMweb by the application."""

import asyncio
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import hl7
import sqlalchemy
from hl7.client import MLLPClient
from wire.soap_world import World

from conformance import messages, synthetic
from profiles.app import create_app
from profiles.faces.mllp import Server
from profiles.house import House
from profiles.mllp import server_of
from profiles.settings import Settings
from registry.metadata.model import Association, Submission
from registry.metadata.urn import Action, AssociationType, Status, StoredQueryId

PNR = synthetic.AUTHORITY
ANNA, BO, CILLA, DAN = (synthetic.patient_id(number) for number in (1, 2, 3, 4))
SMALL = {"hl7v2": {"message_bytes": 20_000, "message_seconds": 1.0, "idle_seconds": 2.0, "connections_a_peer": 4}}


def number(cx: str) -> str:
    return cx.partition("^")[0]


def adt(event: str, *segments: str, version: str = "2.3.1", charset: str = "", control: str = "7") -> str:
    """An ADT message as a hospital's registration system writes it."""
    msh = f"MSH|^~\\&|REG|NORTH|XDS|REGION|20260101120000||ADT^{event}^ADT_{event}|{control}|P|{version}"
    return "\r".join((f"{msh}||||||{charset}" if charset else msh, f"EVN|{event}|20260101120000", *segments)) + "\r"


def pid(cx: str, name: str = "Ek^Anna", birth: str = "19121212", sex: str = "F") -> str:
    return f"PID|1||{cx}||{name}||{birth}|{sex}"


def a01(cx: str, **more: Any) -> str:
    return adt("A01", pid(cx), "PV1|1|I", **more)


def a40(survivor: str, subsumed: str, **more: Any) -> str:
    return adt("A40", pid(survivor), f"MRG|{subsumed}", **more)


def a37(one: str, other: str, **more: Any) -> str:
    return adt("A37", pid(one), pid(other, "", "", ""), **more)


class Ack:
    """An acknowledgement as the `hl7` library reads it."""

    def __init__(self, data: bytes) -> None:
        assert data[:1] == b"\x0b", data
        assert data[-2:] == b"\x1c\r", data
        self.raw = data[1:-2].decode()
        self.message = hl7.parse(self.raw)

    @property
    def code(self) -> str:
        return str(self.message["MSA"][0][1])

    @property
    def control(self) -> str:
        return str(self.message["MSA"][0][2])

    @property
    def errors(self) -> list[str]:
        return [str(segment) for segment in self.message if str(segment[0]) == "ERR"]

    def header(self, field: int) -> str:
        return str(self.message["MSH"][0][field])


class FeedWorld(World):
    """`port` is where MLLP is spoken."""

    port = 0

    def hl7(self, *sent: str, encoding: str = "utf-8") -> list[Ack]:
        with MLLPClient("127.0.0.1", self.port, encoding) as client:
            return [Ack(client.send_message(message)) for message in sent]

    def raw_hl7(self, message: bytes) -> bytes:
        with MLLPClient("127.0.0.1", self.port) as client:
            return bytes(client.send_message(message))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        engine = sqlalchemy.create_engine(self.house.settings.database)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(sqlalchemy.text(statement))]
        finally:
            engine.dispose()

    def rows_of(self, table: str) -> int:
        return int(self.sql(f"SELECT count(*) FROM {table}")[0][0])

    def feed(self, *sent: str) -> None:
        """Messages that must be taken."""
        for ack in self.hl7(*sent):
            assert ack.code == "AA", ack.raw

    def submit(self, patient: str, replaces: str | None = None, **changes: Any) -> tuple[Any, Submission]:
        """ITI-42 of one invented report; `replaces` is an entryUUID."""
        made = report_of(patient, **changes)
        if replaces:
            relation = Association(synthetic._uuid(random.Random()), AssociationType.RPLC, made.entries[0].id, replaces)
            made = replace(made, associations=(*made.associations, relation))
        return self.register(made), made

    def documents(self, patient: str, returns: str = "LeafClass") -> Any:
        return self.query(messages.find_documents(patient, returns))

    def ask(self, query: StoredQueryId, *parameters: tuple[str, str]) -> Any:
        return self.query(messages.stored_query(query, parameters))

    def find(self, query: StoredQueryId, patient: str) -> Any:
        """A stored query by patient."""
        kind = {StoredQueryId.FIND_SUBMISSION_SETS: "SubmissionSet", StoredQueryId.FIND_FOLDERS: "Folder"}[query]
        return self.ask(
            query, (f"$XDS{kind}PatientId", f"'{patient}'"), (f"$XDS{kind}Status", f"('{Status.APPROVED}')")
        )

    def fhir(self, path: str, status: int = 200, **headers: str) -> dict[str, Any]:
        answer = self.client.get(f"/fhir/{path}", headers=headers)
        assert answer.status_code == status, answer.text
        return dict(answer.json or {})

    def patient(self, cx: str) -> dict[str, Any]:
        """The FHIR Patient of an identifier."""
        (entry,) = self.fhir(f"Patient?identifier=urn:oid:{PNR}|{number(cx)}")["entry"]
        return dict(entry["resource"])

    def soap(self, action: Action, body: str) -> Any:
        return self.post("registry", messages.headers(action), messages.envelope(action, body))


def report_of(patient: str, **changes: Any) -> Submission:
    made = synthetic.submission(random.Random(), patient, documents=1)
    return replace(made, entries=tuple(replace(entry, **changes) for entry in made.entries)) if changes else made


@contextmanager
def listening(server: Server) -> Iterator[int]:
    """The server in a thread of its own: its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(server.run(listener, stop)))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        assert not thread.is_alive()
        loop.close()


@contextmanager
def opened(database_url: str, data: Path, **settings: Any) -> Iterator[FeedWorld]:
    chosen = Settings.load(data=data, database_url=database_url, **settings)
    houses: list[House] = []
    app = create_app(chosen, [lambda _, house: houses.append(house)])
    world = FeedWorld(app, houses[0], data)
    with listening(server_of(chosen, houses[0])) as world.port:
        yield world
