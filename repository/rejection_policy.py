"""What is done with rejected objects, a policy for each code of a rejection note (RAD TF-2, 4.66; PS3.16, CID 7011)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique

DAY = 86_400.0
MEANINGS: Mapping[str, str] = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
QUALITY, SAFETY, WORKLIST, EXPIRED = MEANINGS


@unique
class Resent(StrEnum):
    """What becomes of a rejected object that is sent again, after it was here."""

    REFUSE = "refuse"
    HIDE = "hide"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class RejectionPolicy:
    """What one code does.

    `hide` the objects from all questions; delete them after `delete_after_days` (None: never); `overwrites` says
    whether such a note takes the place of an earlier one with another code. `at_once`: the old manifest's entry is
    withdrawn together with the note, before a new one is made.
    """

    hide: bool = True
    delete_after_days: float | None = None
    resent: Resent = Resent.REFUSE
    overwrites: bool = True
    at_once: bool = False

    def due(self, now: float) -> float | None:
        """When what is rejected `now` (seconds since 1970) may be deleted."""
        return None if self.delete_after_days is None else now + self.delete_after_days * DAY


def defaults() -> dict[str, RejectionPolicy]:
    """The policies of an archive that nobody has told otherwise."""
    return {
        QUALITY: RejectionPolicy(resent=Resent.HIDE, overwrites=False),
        SAFETY: RejectionPolicy(at_once=True),
        WORKLIST: RejectionPolicy(at_once=True),
        EXPIRED: RejectionPolicy(delete_after_days=0),
    }


@dataclass(frozen=True, slots=True)
class Policies:
    """The policy of each code. `remove`: an entry of which nothing is left is removed rather than deprecated."""

    by_code: Mapping[str, RejectionPolicy] = field(default_factory=defaults)
    remove: bool = False

    def of(self, code: str) -> RejectionPolicy:
        """The policy of a code."""
        return self.by_code.get(code) or RejectionPolicy()
