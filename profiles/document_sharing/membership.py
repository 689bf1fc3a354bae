"""HasMember: what belongs to the SubmissionSet and to a Folder (ITI TF-3, 4.2.1.4 and 4.2.2.1).

Whether a registered end exists, is of the right kind and of the same patient is the registry's to tell.
"""

from collections import Counter
from collections.abc import Iterator

from profiles.document_sharing.contents import NAMES, Contents
from profiles.document_sharing.transactions import Rules
from registry.metadata.errors import Finding
from registry.metadata.identify import bare_uuid
from registry.metadata.model import Association, DocumentEntry, Folder, SubmissionSet
from registry.metadata.rules import shown
from registry.metadata.urn import AssociationType

GRAPH = "ITI TF-3, 4.2.1.4"
HAS_MEMBER = "ITI TF-3, 4.2.2.1"
ORIGINAL, REFERENCE = "Original", "Reference"

# Source of a HasMember -> what it may have as a member; "an association" is a Folder's HasMember of a DocumentEntry.
MEMBERS: dict[type, tuple[type, ...]] = {
    SubmissionSet: (DocumentEntry, Folder, Association),
    Folder: (DocumentEntry,),
}
MAY_HOLD = {
    SubmissionSet: "a DocumentEntry, a Folder, or a HasMember of a Folder and a DocumentEntry",
    Folder: "DocumentEntries alone",
}


def findings(contents: Contents, rules: Rules) -> Iterator[Finding]:
    """Everything wrong with the HasMember associations of a submission with one SubmissionSet."""
    owner = contents.submission.submission_set
    members = [a for a in contents.submission.associations if a.type == AssociationType.HAS_MEMBER]
    own = [a for a in members if contents.get(a.source) is owner]
    if not rules.updates:
        # An update says by HasMember which version it follows, and the registry's rules count those.
        yield from _linked_once(contents, own, rules)
    for member in members:
        yield from _ends(contents, member, rules)
        if member.documentation is not None:
            text = "a HasMember has no association documentation; that is for relations between documents"
            yield Finding(rules.metadata_error, f"{member.id}.associationDocumentation", text, HAS_MEMBER)
    for member in own:
        yield from _status(contents, member, rules)


def _linked_once(contents: Contents, own: list[Association], rules: Rules) -> Iterator[Finding]:
    """Every DocumentEntry and Folder has exactly one HasMember from the SubmissionSet."""
    times = Counter(bare_uuid(a.target) for a in own)
    things: tuple[DocumentEntry | Folder, ...] = (*contents.submission.entries, *contents.submission.folders)
    for thing in things:
        number = times[bare_uuid(thing.id)]
        if number != 1:
            text = f"needs exactly one HasMember from the SubmissionSet, {number} were sent"
            yield Finding(rules.annotation, thing.id, text, GRAPH)


def _ends(contents: Contents, member: Association, rules: Rules) -> Iterator[Finding]:
    source, target = contents.get(member.source), contents.get(member.target)
    if target is not None and target is contents.submission.submission_set:
        text = "a SubmissionSet is never the member of anything"
        yield Finding(rules.metadata_error, f"{member.id}.targetObject", text, HAS_MEMBER)
        return
    # A source that is not submitted can only be a registered Folder: a registered SubmissionSet is closed.
    kind = Folder if source is None else type(source)
    if kind not in MEMBERS:
        text = f"is {NAMES[kind]}; the source of a HasMember is the SubmissionSet or a Folder"
        yield Finding(rules.metadata_error, f"{member.id}.sourceObject", text, HAS_MEMBER)
    elif target is not None and not (isinstance(target, MEMBERS[kind]) and _is_placement(contents, target)):
        text = f"is {contents.described(member.target)}; {NAMES[kind]} holds {MAY_HOLD[kind]}"
        yield Finding(rules.metadata_error, f"{member.id}.targetObject", text, HAS_MEMBER)


def _is_placement(contents: Contents, target: object) -> bool:
    """True for a HasMember that puts a document into a Folder, and for whatever is no association."""
    if not isinstance(target, Association):
        return True
    source = contents.get(target.source)
    in_folder = isinstance(source, Folder) or contents.may_be_registered(target.source)
    return target.type == AssociationType.HAS_MEMBER and in_folder


def _status(contents: Contents, member: Association, rules: Rules) -> Iterator[Finding]:
    """SubmissionSetStatus: Original of what is submitted, Reference to what is registered (ITI TF-3, 4.2.2.1)."""
    where, said = f"{member.id}.SubmissionSetStatus", member.submission_set_status
    target = contents.get(member.target)
    if said is None:
        # The book asks it of DocumentEntries; of Folders and associations senders leave it out.
        if target is None or isinstance(target, DocumentEntry):
            text = f"is required, {ORIGINAL} or {REFERENCE}: here it is {ORIGINAL if target else REFERENCE}"
            yield Finding(rules.annotation, where, text, HAS_MEMBER)
    elif said not in (ORIGINAL, REFERENCE):
        text = f"is {shown(said)} and must be {ORIGINAL} or {REFERENCE}"
        yield Finding(rules.annotation, where, text, HAS_MEMBER)
    elif said == ORIGINAL and target is None:
        text = f"is {ORIGINAL}, but the target is not in this submission"
        yield Finding(rules.annotation, where, text, HAS_MEMBER)
    elif said == REFERENCE and target is not None:
        text = f"is {REFERENCE}, but the target is in this submission: write {ORIGINAL}"
        yield Finding(rules.annotation, where, text, HAS_MEMBER)
