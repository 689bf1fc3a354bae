"""The codes by which key object documents say what they are and what they tell (PS3.16 CID 7010, TID 2010, TID 1600).

Matched by value alone: the official samples of the manifest with description confuse coding schemes, and the values
of the trial texts (IHE RAD MADO, DICOM CP-2595) are distinct from the final ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, unique

MANIFEST_TITLE = ("113030", "DCM", "Manifest")
PRIVATE_DISPLAY_URI_CREATOR = "IHE_MADO_PRIVATE"


@unique
class Kind(Enum):
    """What a key object document is, by its title; the SOP class is the same for all (PS3.16 CID 7010)."""

    MANIFEST = "manifest"
    REJECTION = "rejection note"
    KEY_OBJECTS = "key objects"


MANIFEST_CODES = frozenset({"113030"})
# The final code, the draft's of CP-2595, and that of IHE's trial implementation.
DESCRIBED_CODES = frozenset({"131560", "ddd001", "MADOTEMP001"})
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
    DOCUMENT_TITLE = "121144"
    KEY_OBJECT_DESCRIPTION = "113012"


MEANINGS: Mapping[Concept, str] = {
    Concept.IMAGE_LIBRARY: "Image Library",
    Concept.LIBRARY_GROUP: "Image Library Group",
    Concept.MODALITY: "Modality",
    Concept.TARGET_REGION: "Target Region",
    Concept.SERIES_INSTANCE_UID: "Series Instance UID",
    Concept.SERIES_NUMBER: "Series Number",
    Concept.SERIES_DATE: "Series Date",
    Concept.SERIES_TIME: "Series Time",
    Concept.SERIES_DESCRIPTION: "Series Description",
    Concept.SERIES_INSTANCES: "Number of Series Related Instances",
    Concept.STUDY_SERIES: "Number of Study Related Series",
    Concept.INSTANCE_NUMBER: "Instance Number",
    Concept.NUMBER_OF_FRAMES: "Number of Frames",
    Concept.PROCEDURE_CODE: "Procedure Code",
    Concept.DOCUMENT_TITLE: "Document Title",
    Concept.KEY_OBJECT_DESCRIPTION: "Key Object Description",
}
# Of the concepts that are new with the manifest with description: IHE's trial codes, and those of CP-2595's draft.
TRIAL = {
    Concept.SERIES_DESCRIPTION: "MADOTEMP002",
    Concept.SERIES_DATE: "MADOTEMP003",
    Concept.SERIES_TIME: "MADOTEMP004",
    Concept.SERIES_INSTANCES: "MADOTEMP007",
    Concept.STUDY_SERIES: "MADOTEMP009",
}
DRAFT = {
    "ddd002": Concept.SERIES_DESCRIPTION,
    "ddd003": Concept.SERIES_DATE,
    "ddd004": Concept.SERIES_TIME,
    "ddd005": Concept.SERIES_NUMBER,
    "ddd006": Concept.SERIES_INSTANCE_UID,
    "ddd008": Concept.DOCUMENT_TITLE,
    "ddd009": Concept.KEY_OBJECT_DESCRIPTION,
    "ddd012": Concept.INSTANCE_NUMBER,
    "ddd013": Concept.SERIES_INSTANCES,
}
_CONCEPTS = {concept.value: concept for concept in Concept} | {value: key for key, value in TRIAL.items()} | DRAFT


@unique
class ManifestStyle(StrEnum):
    """How manifests are written: plain (RAD TF-2, 4.68), with description in final codes, or in those of the trial."""

    KOS = "kos"
    MADO = "mado"
    MADO_TRIAL = "mado-trial"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The codes that a manifest with description is written in: its title as (code, designator, meaning)."""

    title: tuple[str, str, str]
    trial: Mapping[Concept, str]

    def code_of(self, concept: Concept) -> tuple[str, str, str]:
        """(code, designator, meaning) of a concept."""
        trial = self.trial.get(concept)
        return (trial, "99IHE", MEANINGS[concept]) if trial else (concept.value, "DCM", MEANINGS[concept])


VOCABULARIES: Mapping[ManifestStyle, Vocabulary] = {
    ManifestStyle.MADO: Vocabulary(("131560", "DCM", "Manifest with Description"), {}),
    ManifestStyle.MADO_TRIAL: Vocabulary(("MADOTEMP001", "99IHE", "Manifest with Description"), TRIAL),
}


def concept_of(code: str) -> Concept | None:
    """The concept of a code value, final or of the trial; None if the reader has no use for it."""
    return _CONCEPTS.get(code)


def kind_of(code: str, meaning: str) -> Kind:
    """What a document with this title is; any title that is neither manifest nor rejection tells of key objects."""
    if code in MANIFEST_CODES | DESCRIBED_CODES or meaning.strip().lower() == DESCRIBED_MEANING:
        return Kind.MANIFEST
    return Kind.REJECTION if code in REJECTION_CODES else Kind.KEY_OBJECTS
