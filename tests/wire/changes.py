"""Updates and removals as a client sends them, to one application on each engine."""

import itertools
import shutil
from dataclasses import replace
from functools import cached_property

import pytest
import sqlalchemy
from wire import submissions as s
from wire.soap_world import World

from conformance import messages
from database.tables import METADATA
from profiles.app import create_app
from profiles.settings import Settings
from registry.metadata.identify import bare_uuid, fresh_uuid
from registry.metadata.model import Association, Code, Folder, Submission
from registry.metadata.urn import Action, AssociationType, Status, StoredQueryId

A = AssociationType
UNTOLD = {"audit", "outbox"}
OBJECTS = ("document_entry", "submission_set", "folder", "association")
CODE = Code("1", "1.2.3", "one")
_numbers = itertools.count(1)


def urn():
    return f"urn:uuid:{fresh_uuid()}"


class ChangingWorld(World):
    """A world on either engine, and what its clients do to what is registered."""

    url = ""

    def update(self, submission, *, restricted=False):
        action = Action.RESTRICTED_UPDATE_DOCUMENT_SET if restricted else Action.UPDATE_DOCUMENT_SET
        return self.send(action, messages.update_document_set(submission, restricted=restricted))

    def fhir_search(self, type_, **parameters):
        """How many resources a search finds, and their ids on the first page."""
        with self.client.get(f"/fhir/{type_}", query_string=parameters) as response:
            assert response.status_code == 200, response.text
            return response.json["total"], [one["resource"]["id"] for one in response.json.get("entry", [])]

    def remove(self, *ids):
        return self.send(Action.DELETE_DOCUMENT_SET, messages.remove_metadata(ids))

    def remove_documents(self, *wanted):
        return self.send(Action.REMOVE_DOCUMENTS, messages.remove_documents(wanted))

    @cached_property
    def engine(self):
        return sqlalchemy.create_engine(self.url)

    def sql(self, text, **params):
        with self.engine.begin() as connection:
            result = connection.execute(sqlalchemy.text(text), params)
            return [tuple(row) for row in result] if result.returns_rows else []

    def rows(self):
        """Rows of each table but those that a refused request may write to."""
        each = (f"SELECT '{name}', count(*) FROM {name}" for name in METADATA.tables if name not in UNTOLD)
        return dict(self.sql(" UNION ALL ".join(each)))

    def everything(self):
        """How many rows there are, and what of the registry objects and of what was made of them can change."""
        objects = (f"SELECT id, status, CAST(version AS TEXT), CAST(is_latest AS TEXT) FROM {name}" for name in OBJECTS)
        made = "SELECT id, status, entry_id, CAST(version AS TEXT) FROM diagnostic_report"
        folders = "SELECT id, last_update_time, unique_id, patient_id FROM folder"
        return self.rows(), sorted(map(repr, self.sql(" UNION ALL ".join([*objects, made, folders]))))

    def entry(self, id_):
        """lid, version, status and title of a registered DocumentEntry; None when there is none."""
        found = self._get(StoredQueryId.GET_DOCUMENTS, "$XDSDocumentEntryEntryUUID", id_)
        return described(found[0]) if found else None

    def folder(self, id_):
        found = self._get(StoredQueryId.GET_FOLDERS, "$XDSFolderEntryUUID", id_)
        return described(found[0]) if found else None

    def links(self, id_):
        """The Association elements of an object."""
        both = ("$XDSAssociationStatus", f"('{Status.APPROVED}','{Status.DEPRECATED}')")
        return self._get(StoredQueryId.GET_ASSOCIATIONS, "$uuid", id_, both)

    def associations(self, id_):
        """(type, source, target, status) of the associations of an object, words and bare UUIDs."""
        found = self.links(id_)
        names = ("associationType", "sourceObject", "targetObject", "status")
        return {tuple(word(one.get(name)) for name in names) for one in found}

    def _get(self, query, name, id_, *more):
        answer = self.query(messages.stored_query(query, [(name, f"('{id_}')"), ("$MetadataLevel", "2"), *more]))
        assert answer.outcome == "Success", answer.text
        return answer.objects

    def fhir(self, path):
        """The JSON of a GET, or the HTTP status of a refusal."""
        with self.client.get(f"/fhir/{path}") as response:
            return response.json if response.status_code == 200 else response.status_code

    def audited(self):
        """Action and objects of the newest write of an update or a removal."""
        return self.sql("SELECT action, record FROM audit WHERE action IN ('U', 'D') ORDER BY recorded DESC LIMIT 1")[0]


def word(text):
    return text.rpartition(":")[2]


def described(element):
    name = next((one for one in element if one.tag.endswith("}Name")), None)
    version = next(one for one in element if one.tag.endswith("}VersionInfo"))
    title = name[0].get("value") if name is not None else None
    return word(element.get("lid")), version.get("versionName"), word(element.get("status")), title


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, sqlite_template, tmp_path_factory):
    """Each test brings patients and ids of its own."""
    data = tmp_path_factory.mktemp("changing") / "data"
    data.mkdir()
    if request.param == "sqlite":
        url = f"sqlite:///{data / 'registry.sqlite'}"
        for file in sqlite_template.parent.glob(f"{sqlite_template.name}*"):
            shutil.copy(file, data / file.name.replace(sqlite_template.name, "registry.sqlite"))
        yield opened(data, url)
    else:
        databases = request.getfixturevalue("postgres_databases")
        url = databases.fresh()
        found = opened(data, url)
        yield found
        found.house.registry._database.close()
        found.engine.dispose()
        databases.drop(url)


def opened(data, url):
    houses = []
    app = create_app(Settings.load(data=data, database_url=url), [lambda _, house: houses.append(house)])
    found = ChangingWorld(app, houses[0], data)
    found.url = url
    return found


# --- requests ---


def asking(patient, entries=(), folders=(), associations=()):
    """A request of its own SubmissionSet; associations without a source have that."""
    owner = replace(s.new().submission_set, patient_id=patient)
    own = tuple(replace(one, source=one.source or owner.id) for one in associations)
    return Submission((owner,), tuple(entries), tuple(folders), own)


def version(of, previous="1", propagation=None, lid=None, patient=None, **changes):
    """A request for a new version of a DocumentEntry or Folder."""
    thing = replace(of, id=urn(), logical_id=lid or of.logical_id or of.id, **({"patient_id": patient} if patient else {}), **changes)  # fmt: skip
    slots = [("PreviousVersion", (previous,))] if previous else []
    slots += [("AssociationPropagation", (propagation,))] if propagation else []
    member = Association(urn(), A.HAS_MEMBER, "", thing.id, "Original", extra=tuple(slots))
    kind = "folders" if isinstance(of, Folder) else "entries"
    return asking(thing.patient_id, associations=(member,), **{kind: (thing,)})


def moving(target, new, original=None, patient=None):
    """The association that asks for a status; its source is left to `asking`."""
    other = {Status.APPROVED: Status.DEPRECATED, Status.DEPRECATED: Status.APPROVED}
    slots = (("OriginalStatus", (original or other[new],)), ("NewStatus", (new,)))
    return Association(urn(), A.UPDATE_AVAILABILITY_STATUS, "", target, extra=slots)


def adding(type_, source, target):
    """The association to be registered, and the one that asks for it."""
    one = Association(urn(), type_, source, target)
    return one, Association(urn(), A.SUBMIT_ASSOCIATION, "", one.id)


def registered(world, submission=None):
    made = submission or s.new()
    answer = world.register(made)
    assert answer.outcome == "Success", answer.text
    return made


def filed(world, patient=None):
    """A registered document in a registered Folder: the submission."""
    made = s.of_patient(s.new(), patient) if patient else s.new()
    folder = Folder(urn(), f"1.2.3.4.5.{next(_numbers)}", made.entries[0].patient_id, "Mapp", codes=(CODE,))
    links = (
        Association(urn(), A.HAS_MEMBER, made.submission_set.id, folder.id, "Original"),
        Association(urn(), A.HAS_MEMBER, folder.id, made.entries[0].id),
    )
    return registered(world, replace(made, folders=(folder,), associations=(*made.associations, *links)))


def done(answer):
    assert answer.outcome == "Success", answer.text
    assert answer.errors == []


def refused(world, send):
    """Codes and locations of a refusal, having seen that it changed nothing."""
    before = world.everything()
    answer = send()
    assert answer.outcome == "Failure", "it was done"
    assert world.everything() == before
    for error in answer.errors:
        assert "TF-" in error.context, error
    return [(e.code, e.location) for e in answer.errors]


def bare(id_):
    return bare_uuid(id_)
