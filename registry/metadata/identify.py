"""A submission's ids made ready to be stored: bare UUIDs, symbolic ids assigned (ITI TF-3, 4.2.1.4)."""

import re
from dataclasses import replace
from random import getrandbits
from uuid import uuid4

from registry.metadata.datatypes import Cx
from registry.metadata.model import Submission


def fresh_uuid() -> str:
    """A random UUID, bare, for what must be unique and need not be secret; the system's generator takes far longer.

    A child after fork has a sequence of its own: Python seeds anew there.
    """
    digits = f"{getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


UUID = re.compile(r"(urn:uuid:)?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def is_uuid(id_: str) -> bool:
    """True for a UUID, with or without `urn:uuid:`; everything else is a symbolic id."""
    return UUID.fullmatch(id_.lower()) is not None


def bare_uuid(id_: str) -> str:
    """The UUID in lower case without `urn:uuid:`; a symbolic id as it is."""
    found = UUID.fullmatch(id_.lower())
    return found[2] if found else id_


def canonical(patient_id: str | None) -> str | None:
    """A patient id in canonical CX text; None when it cannot be read."""
    try:
        return str(Cx.parse(patient_id or ""))
    except ValueError:
        return None


def with_uuids(submission: Submission) -> Submission:
    """The submission with a bare UUID for every id, symbolic ones assigned, and its patient ids canonical.

    Doing it again changes nothing, so that whoever needs the ids first may do it.
    """
    ids = {o.id: bare_uuid(o.id) if is_uuid(o.id) else str(uuid4()) for o in submission.objects()}

    def end(id_: str) -> str:
        return ids.get(id_) or bare_uuid(id_)

    return Submission(
        tuple(replace(s, id=ids[s.id], patient_id=canonical(s.patient_id)) for s in submission.submission_sets),
        tuple(replace(e, id=ids[e.id], patient_id=canonical(e.patient_id)) for e in submission.entries),
        tuple(replace(f, id=ids[f.id], patient_id=canonical(f.patient_id)) for f in submission.folders),
        tuple(replace(a, id=ids[a.id], source=end(a.source), target=end(a.target)) for a in submission.associations),
    )
