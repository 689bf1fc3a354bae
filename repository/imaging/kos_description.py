"""The description within a manifest: the image library of study, series and instances (PS3.16 TID 1600; IHE RAD MADO).

The library is what makes a manifest one "with description": consumers list and filter a study without asking where it
lies.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo

from pydicom.dataset import Dataset

from registry.metadata.model import Instance, Series, StudyDescription
from repository.imaging.codes import Concept, Vocabulary
from repository.imaging.event_codes import ACQUISITION_MODALITIES, region_of
from repository.imaging.kos_items import code, coded, item, reference
from repository.imaging.target_regions import target_regions

CONTEXT = "HAS ACQ CONTEXT"
# What PS3.16 CID 33 has beside the modalities of acquisition.
OTHER_MODALITIES = {
    "ANN": "Annotation",
    "AU": "Audio",
    "CTPROTOCOL": "CT Protocol",
    "DOC": "Document",
    "FID": "Fiducials",
    "IOL": "Intraocular Lens Calculation",
    "KO": "Key Object Selection",
    "M3D": "Model for 3D Manufacturing",
    "OT": "Other",
    "PLAN": "Plan",
    "PR": "Presentation State",
    "REG": "Registration",
    "RTDOSE": "RT Dose",
    "RTPLAN": "RT Plan",
    "RTRECORD": "RT Treatment Record",
    "RTSTRUCT": "RT Structure Set",
    "RWV": "Real World Value Map",
    "SEG": "Segmentation",
    "SMR": "Stereometric Relationship",
    "SR": "Structured Report Document",
}


class Describer:
    """Writes the description of a study in one vocabulary.

    `zone` is that of all dates and times in the document, `value_type` says how an item points to a SOP class, `local`
    gives DA and TM of a DTM in a zone.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        zone: tzinfo,
        value_type: Callable[[str], str],
        local: Callable[[str, tzinfo], tuple[str, str]],
    ) -> None:
        self._vocabulary = vocabulary
        self._zone = zone
        self._value_type = value_type
        self._local = local

    def items(self, study: StudyDescription) -> Iterator[Dataset]:
        """The content items of the root: TID 2010's procedure codes, and the library."""
        for found in filter(None, map(coded, study.procedure_codes)):
            yield self._item("CONTAINS", "CODE", Concept.PROCEDURE_CODE, ConceptCodeSequence=[found])
        series = [one for one in study.series if one.instances]
        yield self._container(Concept.IMAGE_LIBRARY, [*self._study(series), *map(self._group, series)])

    def _study(self, series: list[Series]) -> Iterator[Dataset]:
        modalities = list(dict.fromkeys(one.modality for one in series if one.modality))
        for modality in sorted(modalities, key=lambda one: one not in ACQUISITION_MODALITIES) or ["OT"]:
            yield self._modality(modality)
        for found in filter(None, map(coded, target_regions(series))):
            yield self._context("CODE", Concept.TARGET_REGION, ConceptCodeSequence=[found])
        yield self._number(Concept.STUDY_SERIES, len(series), "series")

    def _group(self, series: Series) -> Dataset:
        return self._container(Concept.LIBRARY_GROUP, [*self._series(series), *map(self._entry, series.instances)])

    def _series(self, series: Series) -> Iterator[Dataset]:
        yield self._modality(series.modality or "OT")
        day, clock = self._local(series.started or "", self._zone)
        if day:
            yield self._context("DATE", Concept.SERIES_DATE, Date=day)
        if clock:
            yield self._context("TIME", Concept.SERIES_TIME, Time=clock)
        if series.description:
            yield self._text(Concept.SERIES_DESCRIPTION, series.description)
        if series.number is not None:
            yield self._text(Concept.SERIES_NUMBER, str(series.number))
        yield self._context("UIDREF", Concept.SERIES_INSTANCE_UID, UID=series.uid)
        region = region_of(series)
        found = coded(region) if region else None
        if found is not None:
            yield self._context("CODE", Concept.TARGET_REGION, ConceptCodeSequence=[found])
        elif series.body_part:
            yield self._text(Concept.TARGET_REGION, series.body_part)
        yield self._number(Concept.SERIES_INSTANCES, len(series.instances), "instances")

    def _entry(self, instance: Instance) -> Dataset:
        entry = item(
            RelationshipType="CONTAINS",
            ValueType=self._value_type(instance.sop_class_uid),
            ReferencedSOPSequence=[reference(instance)],
        )
        told = list(self._instance(instance))
        if told:
            entry.ContentSequence = told
        return entry

    def _instance(self, instance: Instance) -> Iterator[Dataset]:
        if instance.frames is not None:
            yield self._number(Concept.NUMBER_OF_FRAMES, instance.frames, "1")
        if instance.number is not None:
            yield self._text(Concept.INSTANCE_NUMBER, str(instance.number))
        title = coded(instance.title) if instance.title else None
        if title is not None:
            yield self._context("CODE", Concept.DOCUMENT_TITLE, ConceptCodeSequence=[title])
        if instance.description:
            yield self._text(Concept.KEY_OBJECT_DESCRIPTION, instance.description)

    def _modality(self, modality: str) -> Dataset:
        meaning = ACQUISITION_MODALITIES.get(modality) or OTHER_MODALITIES.get(modality, modality)
        return self._context("CODE", Concept.MODALITY, ConceptCodeSequence=[code(modality, "DCM", meaning)])

    def _number(self, concept: Concept, value: int, unit: str) -> Dataset:
        units = code("1", "UCUM", "no units") if unit == "1" else code(f"{{{unit}}}", "UCUM", unit)
        measured = item(NumericValue=str(value), MeasurementUnitsCodeSequence=[units])
        return self._context("NUM", concept, MeasuredValueSequence=[measured])

    def _text(self, concept: Concept, text: str) -> Dataset:
        return self._context("TEXT", concept, TextValue=text)

    def _context(self, kind: str, concept: Concept, **value: object) -> Dataset:
        return self._item(CONTEXT, kind, concept, **value)

    def _container(self, concept: Concept, children: Iterable[Dataset]) -> Dataset:
        content = list(children)
        return self._item("CONTAINS", "CONTAINER", concept, ContinuityOfContent="SEPARATE", ContentSequence=content)

    def _item(self, relationship: str, kind: str, concept: Concept, **value: object) -> Dataset:
        name = code(*self._vocabulary.code_of(concept))
        return item(RelationshipType=relationship, ValueType=kind, ConceptNameCodeSequence=[name], **value)
