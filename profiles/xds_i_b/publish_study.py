"""Publishing a study at once: POST /xds/imaging/studies/{StudyInstanceUID}/publish.

Not of the book: RAD TF-2, 4.68 leaves it to the Imaging Document Source when a study is complete. Left alone, a
study is published when it has been quiet for `publishing.quiet_seconds`.
"""

import orjson
from flask import Request

from profiles.catalog import Http, Transaction
from profiles.faces.reply import Reply
from profiles.house import House
from registry.access import Caller
from registry.metadata.datatypes import is_oid
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.publishing import Published


def decode(request: Request, study_uid: str) -> str:  # noqa: ARG001
    """The Study Instance UID of the path.

    Raises:
        Rejected: InvalidRequest, it is none.
    """
    if not is_oid(study_uid):
        raise Rejected.because(ErrorCode.InvalidRequest, "StudyInstanceUID", "is not a UID", "DICOM PS3.5, 9.1")
    return study_uid


def handle(study_uid: str, house: House, caller: Caller) -> Published:
    """The manifest as it is registered now.

    Raises:
        Rejected: NotFound, no such study is held; or why it cannot be published.
    """
    return house.imaging.publish(study_uid, caller)


def encode(published: Published) -> Reply:
    """What was registered, as JSON."""
    body = {
        "documentUniqueId": published.document_unique_id,
        "entryUUID": f"urn:uuid:{published.entry_id}",
        "replaced": published.replaced,
        "unchanged": published.unchanged,
        "withdrawn": published.withdrawn,
    }
    return Reply(200, "application/json", orjson.dumps(body))


TRANSACTION = Transaction(
    id="publish",
    name="Publish a study's manifest at once",
    actor="Imaging Document Source",
    source="RAD TF-2, 4.68.4.1.1",
    face=Http("POST", "/xds/imaging/studies/<study_uid>/publish"),
    decode=decode,
    handle=handle,
    encode=encode,
)
