"""A submission's objects by id, as the rules of its graph look them up."""

from dataclasses import dataclass

from registry.metadata.identify import bare_uuid, is_uuid
from registry.metadata.model import Association, DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet

NAMES: dict[type, str] = {
    DocumentEntry: "a DocumentEntry",
    SubmissionSet: "a SubmissionSet",
    Folder: "a Folder",
    Association: "an Association",
}


@dataclass(frozen=True, slots=True)
class Contents:
    """A submission, and its objects by id; a UUID is one id in whatever spelling."""

    submission: Submission
    by_id: dict[str, RegistryObject]

    @classmethod
    def of(cls, submission: Submission) -> "Contents":
        """Of two objects with one id, the last; that there are two is a finding of its own."""
        return cls(submission, {bare_uuid(o.id): o for o in submission.objects()})

    def get(self, id_: str) -> RegistryObject | None:
        """The submitted object with this id."""
        return self.by_id.get(bare_uuid(id_))

    def may_be_registered(self, id_: str) -> bool:
        """True for what can only be an object of the registry: a UUID that no submitted object has."""
        return is_uuid(id_) and bare_uuid(id_) not in self.by_id

    def described(self, id_: str) -> str:
        """What an id stands for, in words for the sender."""
        found = self.get(id_)
        return f"{id_}, {'a registered object' if found is None else NAMES[type(found)] + ' of this submission'}"
