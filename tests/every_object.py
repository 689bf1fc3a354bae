"""A minimal object for each of the storage SOP Classes that a region sends, as a table: what it is, and what is due.

Value types are those of PS3.3 C.18.3 to C.18.5 by the IOD: IMAGE where it has pixels, WAVEFORM, else COMPOSITE.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

IMA, WAV, COM = "IMAGE", "WAVEFORM", "COMPOSITE"

# fmt: off
TABLE = (
    # SOP Class (pydicom's keyword),                            modality, value type, acquired, frames
    ("ComputedRadiographyImageStorage",                             "CR",       IMA, True,  1),
    ("DigitalXRayImageStorageForPresentation",                      "DX",       IMA, True,  1),
    ("DigitalXRayImageStorageForProcessing",                        "DX",       IMA, True,  1),
    ("DigitalMammographyXRayImageStorageForPresentation",           "MG",       IMA, True,  1),
    ("BreastTomosynthesisImageStorage",                             "MG",       IMA, True,  40),
    ("BreastProjectionXRayImageStorageForPresentation",             "MG",       IMA, True,  9),
    ("DigitalIntraOralXRayImageStorageForPresentation",             "IO",       IMA, True,  1),
    ("CTImageStorage",                                              "CT",       IMA, True,  1),
    ("EnhancedCTImageStorage",                                      "CT",       IMA, True,  30),
    ("LegacyConvertedEnhancedCTImageStorage",                       "CT",       IMA, True,  30),
    ("MRImageStorage",                                              "MR",       IMA, True,  1),
    ("EnhancedMRImageStorage",                                      "MR",       IMA, True,  30),
    ("EnhancedMRColorImageStorage",                                 "MR",       IMA, True,  3),
    ("MRSpectroscopyStorage",                                       "MR",       COM, True,  None),
    ("UltrasoundImageStorage",                                      "US",       IMA, True,  1),
    ("UltrasoundMultiFrameImageStorage",                            "US",       IMA, True,  25),
    ("EnhancedUSVolumeStorage",                                     "US",       IMA, True,  16),
    ("SecondaryCaptureImageStorage",                                "OT",       IMA, False, 1),
    ("MultiFrameSingleBitSecondaryCaptureImageStorage",             "OT",       IMA, False, 5),
    ("MultiFrameGrayscaleByteSecondaryCaptureImageStorage",         "OT",       IMA, False, 4),
    ("MultiFrameGrayscaleWordSecondaryCaptureImageStorage",         "OT",       IMA, False, 4),
    ("MultiFrameTrueColorSecondaryCaptureImageStorage",             "OT",       IMA, False, 4),
    ("NuclearMedicineImageStorage",                                 "NM",       IMA, True,  8),
    ("PositronEmissionTomographyImageStorage",                      "PT",       IMA, True,  1),
    ("EnhancedPETImageStorage",                                     "PT",       IMA, True,  12),
    ("XRayAngiographicImageStorage",                                "XA",       IMA, True,  20),
    ("EnhancedXAImageStorage",                                      "XA",       IMA, True,  20),
    ("XRayRadiofluoroscopicImageStorage",                           "RF",       IMA, True,  20),
    ("XRay3DAngiographicImageStorage",                              "XA",       IMA, True,  20),
    ("IntravascularOpticalCoherenceTomographyImageStorageForPresentation", "IVOCT", IMA, True, 10),
    ("VLEndoscopicImageStorage",                                    "ES",       IMA, True,  1),
    ("VideoEndoscopicImageStorage",                                 "ES",       IMA, True,  50),
    ("VLMicroscopicImageStorage",                                   "GM",       IMA, True,  1),
    ("VLSlideCoordinatesMicroscopicImageStorage",                   "SM",       IMA, True,  1),
    ("VLPhotographicImageStorage",                                  "XC",       IMA, True,  1),
    ("DermoscopicPhotographyImageStorage",                          "DMS",      IMA, True,  1),
    ("VLWholeSlideMicroscopyImageStorage",                          "SM",       IMA, True,  600),
    ("OphthalmicPhotography8BitImageStorage",                       "OP",       IMA, True,  1),
    ("OphthalmicTomographyImageStorage",                            "OPT",      IMA, True,  19),
    ("OphthalmicOpticalCoherenceTomographyEnFaceImageStorage",      "OPTENF",   IMA, True,  1),
    ("OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage", "OPTBSV", IMA, True, 6),
    ("OphthalmicThicknessMapStorage",                               "OPM",      IMA, True,  1),
    ("OphthalmicAxialMeasurementsStorage",                          "OAM",      COM, True,  None),
    ("OphthalmicVisualFieldStaticPerimetryMeasurementsStorage",     "OPV",      COM, True,  None),
    ("AutorefractionMeasurementsStorage",                           "AR",       COM, True,  None),
    ("TwelveLeadECGWaveformStorage",                                "ECG",      WAV, True,  None),
    ("GeneralECGWaveformStorage",                                   "ECG",      WAV, True,  None),
    ("AmbulatoryECGWaveformStorage",                                "ECG",      WAV, True,  None),
    ("HemodynamicWaveformStorage",                                  "HD",       WAV, True,  None),
    ("CardiacElectrophysiologyWaveformStorage",                     "EPS",      WAV, True,  None),
    ("RoutineScalpElectroencephalogramWaveformStorage",             "EEG",      WAV, True,  None),
    ("RespiratoryWaveformStorage",                                  "RESP",     WAV, True,  None),
    ("BasicVoiceAudioWaveformStorage",                              "AU",       WAV, False, None),
    ("RTImageStorage",                                              "RTIMAGE",  IMA, True,  1),
    ("RTDoseStorage",                                               "RTDOSE",   IMA, False, 15),
    ("RTStructureSetStorage",                                       "RTSTRUCT", COM, False, None),
    ("RTPlanStorage",                                               "RTPLAN",   COM, False, None),
    ("RTIonPlanStorage",                                            "RTPLAN",   COM, False, None),
    ("RTBeamsTreatmentRecordStorage",                               "RTRECORD", COM, False, None),
    ("SegmentationStorage",                                         "SEG",      IMA, False, 12),
    ("SurfaceSegmentationStorage",                                  "SEG",      COM, False, None),
    ("ParametricMapStorage",                                        "MR",       IMA, True,  7),
    ("RealWorldValueMappingStorage",                                "RWV",      COM, False, None),
    ("SpatialRegistrationStorage",                                  "REG",      COM, False, None),
    ("RawDataStorage",                                              "MR",       COM, True,  None),
    ("GrayscaleSoftcopyPresentationStateStorage",                   "PR",       COM, False, None),
    ("ColorSoftcopyPresentationStateStorage",                       "PR",       COM, False, None),
    ("BasicTextSRStorage",                                          "SR",       COM, False, None),
    ("EnhancedSRStorage",                                           "SR",       COM, False, None),
    ("ComprehensiveSRStorage",                                      "SR",       COM, False, None),
    ("Comprehensive3DSRStorage",                                    "SR",       COM, False, None),
    ("XRayRadiationDoseSRStorage",                                  "SR",       COM, False, None),
    ("MammographyCADSRStorage",                                     "SR",       COM, False, None),
    ("KeyObjectSelectionDocumentStorage",                           "KO",       COM, False, None),
    ("MicroscopyBulkSimpleAnnotationsStorage",                      "ANN",      COM, False, None),
    ("EncapsulatedPDFStorage",                                      "DOC",      COM, False, None),
    ("EncapsulatedCDAStorage",                                      "DOC",      COM, False, None),
    ("EncapsulatedSTLStorage",                                      "M3D",      COM, False, None),
)
# fmt: on
COLOUR = ("VL", "Video", "Photograph", "Color", "TrueColor", "Ultrasound")
PATIENT, STUDY = "191212121212", "1.2.3.77"
SR = ("SRStorage", "KeyObject")
ONE_BIT = ("SegmentationStorage", "MultiFrameSingleBitSecondaryCaptureImageStorage")


@dataclass(frozen=True)
class Row:
    keyword: str
    modality: str
    value_type: str
    acquired: bool
    frames: int | None
    number: int

    @property
    def sop_class(self) -> str:
        return str(getattr(uid, self.keyword))

    @property
    def series(self) -> str:
        return f"{STUDY}.{self.number}"

    @property
    def uid(self) -> str:
        return f"{self.series}.1"


ROWS = tuple(Row(*row, number) for number, row in enumerate(TABLE, 1))


def item(**elements):
    found = Dataset()
    for name, value in elements.items():
        setattr(found, name, value)
    return found


def code(value, scheme, meaning):
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def made(row: Row) -> bytes:
    """The object as a file."""
    data = item(
        SpecificCharacterSet="ISO_IR 192", SOPClassUID=row.sop_class, SOPInstanceUID=row.uid, StudyInstanceUID=STUDY,
        SeriesInstanceUID=row.series, PatientID=PATIENT, PatientName="Tolvansson^Tolvan", PatientBirthDate="19121212",
        PatientSex="M", StudyDate="20240701", StudyTime="083000", AccessionNumber="A1", ReferringPhysicianName="",
        StudyID="S1", Modality=row.modality, SeriesNumber=row.number, InstanceNumber=1, Manufacturer="M",
    )  # fmt: skip
    syntax = ExplicitVRLittleEndian
    if row.value_type == "WAVEFORM":
        waveform(data)
    elif row.frames is not None:
        syntax = pixels(data, row)
    elif any(part in row.keyword for part in SR):
        report(data, row)
    elif row.keyword.startswith("Encapsulated"):
        data.MIMETypeOfEncapsulatedDocument = "application/pdf"
        data.EncapsulatedDocument = b"%PDF-1.7"
    elif row.keyword.startswith("RT"):
        data.RTPlanLabel = "one"
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = row.sop_class, row.uid
    data.file_meta.TransferSyntaxUID = syntax
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def pixels(data: Dataset, row: Row) -> str:
    """Frames that can be told apart: each begins with its number."""
    colour = any(part in row.keyword for part in COLOUR)
    data.Rows = data.Columns = 8
    data.SamplesPerPixel, data.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    if colour:
        data.PlanarConfiguration = 0
    if row.frames != 1:
        data.NumberOfFrames = row.frames
    if row.keyword == "VLWholeSlideMicroscopyImageStorage":
        slide(data, row.frames)
        return JPEGBaseline8Bit
    if row.keyword in ONE_BIT:
        data.BitsAllocated = data.BitsStored = 1
        data.HighBit = 0
        data.PixelData = b"".join(bytes([number]) * 8 for number in range(row.frames))
    elif row.keyword == "ParametricMapStorage":
        data.BitsAllocated = 32
        data.FloatPixelData = b"".join(struct.pack("<f", number) * 64 for number in range(row.frames))
        del data.BitsStored, data.HighBit, data.PixelRepresentation
    else:
        frame = 64 * data.SamplesPerPixel
        data.PixelData = b"".join(bytes([number % 256]) * frame for number in range(row.frames))
    if "PixelData" in data:
        data["PixelData"].VR = "OB"
    return ExplicitVRLittleEndian


def tile(number: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), number % 256, np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def frame_of(row: Row, number: int) -> bytes:
    """The bytes of frame `number`, from 1, as WADO-RS gives them."""
    if row.keyword == "VLWholeSlideMicroscopyImageStorage":
        return tile(number - 1)
    if row.keyword == "ParametricMapStorage":
        return struct.pack("<f", number - 1) * 64
    length = 8 if row.keyword in ONE_BIT else 64
    return bytes([(number - 1) % 256]) * length


def slide(data: Dataset, frames: int) -> None:
    """One part of a concatenation of a tiled level."""
    tiles = [tile(number) for number in range(frames)]
    data.PhotometricInterpretation = "YBR_FULL_422"
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.DimensionOrganizationType = "TILED_FULL"
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = 8 * 60, 8 * 20
    data.ConcatenationUID, data.SOPInstanceUIDOfConcatenationSource = f"{STUDY}.9", f"{STUDY}.10"
    data.InConcatenationNumber, data.InConcatenationTotalNumber, data.ConcatenationFrameOffsetNumber = 1, 2, 0
    data.PixelData = encapsulate(tiles)


def waveform(data: Dataset) -> None:
    samples = np.arange(2 * 500, dtype="<i2")
    channels = [item(ChannelSourceSequence=[code("2:1", "MDC", "Lead I")], WaveformBitsStored=16) for _ in range(2)]
    data.WaveformSequence = [
        item(
            WaveformOriginality="ORIGINAL", NumberOfWaveformChannels=2, NumberOfWaveformSamples=500,
            SamplingFrequency=500, ChannelDefinitionSequence=channels, WaveformBitsAllocated=16,
            WaveformSampleInterpretation="SS", WaveformData=samples.tobytes(),
        )
    ]  # fmt: skip
    data.WaveformSequence[0]["WaveformData"].VR = "OW"


def report(data: Dataset, row: Row) -> None:
    title = ("113000", "DCM", "Of Interest") if row.modality == "KO" else ("18748-4", "LN", "Diagnostic imaging study")
    data.ValueType, data.ContinuityOfContent = "CONTAINER", "SEPARATE"
    data.ConceptNameCodeSequence = [code(*title)]
    data.ContentSequence = [
        item(RelationshipType="CONTAINS", ValueType="TEXT", ConceptNameCodeSequence=[code("121071", "DCM", "Finding")],
             TextValue="Ingen påvisad förändring")
    ]  # fmt: skip
