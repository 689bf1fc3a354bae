"""What several searches of this profile are asked by."""

from profiles.faces.fhir_values import reference_id, token
from registry.metadata.urn import ReferenceIdType
from registry.queries import ReferenceId


def order(text: str) -> tuple[ReferenceId, ReferenceId]:
    """An order, which is known here by its numbers alone: the accession number, or the placer's order number.

    Raises:
        ValueError: a literal reference, or no value.
    """
    asked = token(text)
    if asked.system is None and "/" in asked.value:
        raise ValueError("orders are known by identifier here: write system|value")
    return reference_id(asked, ReferenceIdType.ACCESSION), reference_id(asked, ReferenceIdType.ORDER)
