"""Who asks, and what may be shown to them.

Every service call takes a `Caller`; every question takes the `Visibility` that follows from it, in the SQL, before
limit and total. The policy of this release is `open`: whoever reaches a loopback address may see everything, and the
server refuses to listen elsewhere. The seam is what stays when the rules of consent and blocks come.
"""

from dataclasses import dataclass, field

from registry.metadata.identify import fresh_uuid


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's asker, as far as its face could tell.

    `name` is the user or system, `address` the peer's IP address, `transaction` the number in the book that the
    request runs (`ITI-18`), `request_id` what ties log lines and audit records to it. `studies` are the Study Instance
    UIDs that the request was let in for, as by a viewer's link; None when it was let in as a whole.
    """

    name: str
    address: str
    transaction: str
    request_id: str = field(default_factory=fresh_uuid)
    studies: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Visibility:
    """What a caller may see, in terms that SQL can filter by.

    `patients` is None for every patient, else the canonical CX texts of the only ones; `studies` is None for every
    study, else the only Study Instance UIDs. Who may see certain studies alone sees nothing that is no study.
    """

    patients: frozenset[str] | None = None
    studies: frozenset[str] | None = None

    def admits(self, patient_id: str | None) -> bool:
        """True when a record of this patient, whatever it is, may be shown."""
        return self.studies is None and (self.patients is None or patient_id in self.patients)

    def admits_study(self, study_uid: str) -> bool:
        """True when the objects of this study may be shown, as far as the study is concerned and not the patient."""
        return self.studies is None or study_uid in self.studies


EVERYTHING = Visibility()


class OpenPolicy:
    """Everything to everyone; only for a server that listens on loopback."""

    name = "open"

    def visibility(self, caller: Caller) -> Visibility:
        """What `caller` may see."""
        return EVERYTHING if caller.studies is None else Visibility(studies=caller.studies)
