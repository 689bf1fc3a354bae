"""The target regions of a manifest with description: what consumers filter by (IHE RAD MADO, 6.X.6.4.1).

Objects name fine regions; the study is filed under the few high-level ones that hold them.
"""

from collections.abc import Iterable, Mapping

from registry.metadata.model import Code, Series
from registry.metadata.urn import CodingScheme
from repository.imaging.event_codes import ANATOMIC_REGIONS, region_of

# Code and meaning of each high-level region, and the defined terms of Body Part Examined that lie in it.
HIGH_LEVEL: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("774007", "Head and Neck"): (
        *("BRAIN", "EAR", "EYE", "HEAD", "HEADNECK", "JAW", "NECK", "NECKCHEST", "NOSE", "ORBIT", "SINUS", "SKULL"),
        *("CSPINE", "THYROID"),
    ),
    ("67734004", "Upper trunk"): (
        *("CHEST", "CHESTABDOMEN", "CHESTABDPELVIS", "LUNG", "NECKCHEST", "RIB", "STERNUM", "TSPINE", "SPINE"),
        *("CLAVICLE", "SCAPULA"),
    ),
    ("63337009", "Lower trunk"): (
        *("ABDOMEN", "ABDOMENPELVIS", "BLADDER", "CHESTABDOMEN", "CHESTABDPELVIS", "COCCYX", "COLON", "KIDNEY"),
        *("LIVER", "LSPINE", "PANCREAS", "PELVIS", "PROSTATE", "SACRUM", "SPINE", "SPLEEN", "STOMACH", "UTERUS"),
    ),
    ("53120007", "Upper limb"): (
        *("ARM", "ELBOW", "FINGER", "FOREARM", "HAND", "HUMERUS", "SHOULDER", "WRIST"),
    ),
    ("61685007", "Lower limb"): (
        *("ANKLE", "CALCANEUS", "FEMUR", "FOOT", "HIP", "KNEE", "LEG", "PATELLA", "THIGH", "TOE"),
    ),
    ("113257007", "Cardiovascular system"): ("AORTA", "CAROTID"),
    ("80891009", "Heart"): ("HEART",),
    ("76752008", "Breast"): ("BREAST",),
    ("38266002", "Entire body"): ("WHOLEBODY",),
}  # fmt: skip
ENTIRE_BODY = Code("38266002", CodingScheme.SNOMED_CT, "Entire body")


def target_regions(series: Iterable[Series]) -> tuple[Code, ...]:
    """The high-level regions of a study, one at least: what is not known may be anywhere."""
    fine = {region.code for one in series if (region := region_of(one))}
    found = [
        Code(code, CodingScheme.SNOMED_CT, meaning)
        for (code, meaning), terms in HIGH_LEVEL.items()
        if code in fine or fine & {ANATOMIC_REGIONS[term][0] for term in terms}
    ]
    return tuple(found) or (ENTIRE_BODY,)
