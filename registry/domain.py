"""What a registry is told of its affinity domain."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Domain:
    """What the registry must know of its affinity domain.

    `authorities` may assign patient ids; `locations` is Retrieve Location UID -> WADO-RS base URL; `report_types` are
    the typeCodes of imaging reports; `most_results` caps a LeafClass answer. With `fed_only` only patients are known
    that an identity feed told of. With `supersede` a source's newer manifest of a study takes the place of its older
    one though its submission does not say so.
    """

    authorities: tuple[str, ...]
    report_types: frozenset[str] = frozenset()
    locations: Mapping[str, str] = field(default_factory=dict)
    most_results: int = 10_000
    fed_only: bool = False
    supersede: bool = True
