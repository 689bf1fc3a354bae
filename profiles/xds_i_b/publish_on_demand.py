"""Registering a study's manifest as on-demand: POST /xds/imaging/studies/{StudyInstanceUID}/on-demand.

Not of the book: ITI TF-2, 3.61.4.1.1 leaves it to the On-Demand Document Source when it has something to offer. The
entry goes to the registry of this house; its documents are made by ITI-43.
"""

import orjson

from profiles.catalog import Http, Transaction
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.xds_i_b import publish_study
from registry.access import Caller
from repository.imaging.service import OnDemandEntry

decode = publish_study.decode


def handle(study_uid: str, house: House, caller: Caller) -> OnDemandEntry:
    """The on-demand entry as it is registered now.

    Raises:
        Rejected: NotFound, no such study is held; or why it cannot be registered.
    """
    return house.imaging.publish_on_demand(study_uid, caller)


def encode(entry: OnDemandEntry) -> Reply:
    """What was registered, as JSON."""
    body = {
        "documentUniqueId": entry.unique_id,
        "entryUUID": f"urn:uuid:{entry.entry_id}",
        "unchanged": entry.unchanged,
    }
    return Reply(200, "application/json", orjson.dumps(body))


TRANSACTION = Transaction(
    id="publish-on-demand",
    name="Register a study's manifest as on-demand",
    actor="On-Demand Document Source",
    source="ITI TF-2, 3.61.4.1.1",
    face=Http("POST", "/xds/imaging/studies/<study_uid>/on-demand"),
    decode=decode,
    handle=handle,
    encode=encode,
)
