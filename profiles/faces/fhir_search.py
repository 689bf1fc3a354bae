"""A FHIR search that was read: the question, what is asked about the answer, and the address that asks it again."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from profiles.faces import fhir_values as values
from profiles.faces.fhir import ROOT
from registry.queries import Page

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked about the answer rather than of the records.

    `again` are the parameters that ask the same again. Identifiers of patients are not among them: names and numbers
    of people stay out of URLs. `by_patient` tells that a patient's FHIR id must stand for them; `hidden` that something
    else was left out, so that no link can ask the same again.
    """

    type: str
    page: Page
    count_only: bool = False
    includes: tuple[str, ...] = ()
    again: tuple[tuple[str, str], ...] = ()
    hidden: bool = False
    by_patient: bool = False

    def url(self, base_url: str, patient: str | None = None, after: tuple[float, str] | None = None) -> str:
        """The address of this search: of the page after `after`, and with `patient` (a FHIR id) for what is hidden."""
        pairs = list(self.again)
        if patient is not None:
            pairs.insert(0, ("patient", f"Patient/{patient}"))
        if after is not None:
            pairs = [*(pair for pair in pairs if pair[0] != "_after"), ("_after", f"{after[0]!r}~{after[1]}")]
        return f"{base_url}{ROOT}/{self.type}" + (f"?{urlencode(pairs, safe='/:')}" if pairs else "")


@dataclass(frozen=True, slots=True)
class Search(Generic[Q]):
    """A search as read: the registry's question, without page, and the patients that it names by reference.

    `patients` is an AND of ORs, which becomes patient identities where the registry is known.
    """

    query: Q
    options: Options
    patients: tuple[tuple[str, ...], ...] = ()

    def patient_ids(
        self,
        named: tuple[str, ...] | None,
        base_url: str,
        identities: Callable[[str], Iterable[str]],
        every_id: Callable[[Iterable[str]], Collection[str]] = frozenset,
    ) -> tuple[str, ...] | None:
        """Canonical CX texts that are left of `named` (None: all) by the references; empty when nobody is.

        Args:
            named: whom the search names by identifier.
            base_url: this server's address.
            identities: the CX texts of a FHIR Patient's id.
            every_id: CX texts, and all that are of the same patients: who is named twice may be so by another id.
        """
        left = named
        for references in self.patients:
            ids = (values.own_id(one, "Patient", base_url + ROOT) for one in references)
            found = {identity for id in ids if id for identity in identities(id)}
            if left is None:
                left = tuple(sorted(found))
            elif found:
                same = every_id(found)
                left = tuple(p for p in left if p in same)
            else:
                left = ()
        return left
