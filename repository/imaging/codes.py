"""The codes by which key object documents say what they are and what they tell (PS3.16 CID 7010, TID 2010, TID 1600).

Matched by value alone: the official samples of the manifest with description confuse coding schemes, and the values
of the trial texts (IHE RAD MADO) are distinct from the final ones.
"""

from enum import Enum, StrEnum, unique

MANIFEST_TITLE = ("113030", "DCM", "Manifest")


@unique
class Kind(Enum):
    """What a key object document is, by its title; the SOP class is the same for all (PS3.16 CID 7010)."""

    MANIFEST = "manifest"
    REJECTION = "rejection note"
    KEY_OBJECTS = "key objects"


MANIFEST_CODES = frozenset({"113030"})
# The draft codes of CP-2595 and of IHE's trial implementation; the final one is told by its meaning.
DESCRIBED_CODES = frozenset({"ddd001", "MADOTEMP001"})
DESCRIBED_MEANING = "manifest with description"
REJECTION_CODES = frozenset({"113001", "113037", "113038", "113039"})


@unique
class Concept(StrEnum):
    """What an item of the content tree tells (TID 2010 and TID 1600)."""

    IMAGE_LIBRARY = "111028"
    LIBRARY_GROUP = "126200"
    MODALITY = "121139"
    TARGET_REGION = "123014"
    SERIES_INSTANCE_UID = "112002"
    SERIES_NUMBER = "113607"
    SERIES_DATE = "131561"
    SERIES_TIME = "131562"
    SERIES_DESCRIPTION = "131563"
    SERIES_INSTANCES = "131564"
    STUDY_SERIES = "131565"
    INSTANCE_NUMBER = "113609"
    NUMBER_OF_FRAMES = "121140"
    PROCEDURE_CODE = "121023"


TRIAL_CODES = {
    "MADOTEMP002": Concept.SERIES_DESCRIPTION,
    "MADOTEMP003": Concept.SERIES_DATE,
    "MADOTEMP004": Concept.SERIES_TIME,
    "MADOTEMP007": Concept.SERIES_INSTANCES,
    "MADOTEMP009": Concept.STUDY_SERIES,
}
_CONCEPTS = {concept.value: concept for concept in Concept} | TRIAL_CODES


def concept_of(code: str) -> Concept | None:
    """The concept of a code value, final or of the trial; None if the reader has no use for it."""
    return _CONCEPTS.get(code)


def kind_of(code: str, meaning: str) -> Kind:
    """What a document with this title is; any title that is neither manifest nor rejection tells of key objects."""
    if code in MANIFEST_CODES | DESCRIBED_CODES or meaning.strip().lower() == DESCRIBED_MEANING:
        return Kind.MANIFEST
    return Kind.REJECTION if code in REJECTION_CODES else Kind.KEY_OBJECTS
