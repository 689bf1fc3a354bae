"""What the searches and reads of this profile share: asking the registry, and the answers."""

from collections.abc import Callable
from dataclasses import replace

from flask import Request

from profiles.catalog import Fhir, Transaction
from profiles.faces import fhir, fhir_bundle
from profiles.faces.fhir import Read, Shown
from profiles.faces.fhir_bundle import Page
from profiles.faces.fhir_search import Search
from profiles.faces.reply import Reply
from profiles.house import House
from registry.access import Caller
from registry.queries import FindResources, ResourceType
from registry.queries import Page as Slice

ACTOR = "Resource Access Provider"


def find(search: Search[FindResources], house: House, caller: Caller) -> Page:
    """Ask the registry for a page, and for what `_include` adds to it."""
    base_url = house.settings.base_url
    size = min(search.options.page.size, house.settings.limits.fhir_page)
    registry = house.registry
    query = replace(
        search.query,
        patient_ids=search.patient_ids(search.query.patient_ids, base_url, registry.patient_ids, registry.every_id),
        page=replace(search.options.page, size=size),
    )
    found = registry.search(query, caller)
    page = Page(search.options, found, base_url)
    if not search.options.includes or search.options.count_only:
        return page
    ids = fhir_bundle.referred(found, ResourceType.ENDPOINT)
    if not ids:
        return page
    endpoints = FindResources(ResourceType.ENDPOINT, ids=ids, page=Slice(len(ids)))
    return replace(page, includes=house.registry.search(endpoints, caller).items)


def encode(page: Page) -> Reply:
    """The searchset."""
    return fhir_bundle.reply(page)


def reading(type: ResourceType) -> Transaction:
    """The read of one resource of `type` (FHIR R4, 3.1.0.2)."""
    return Transaction(
        id=f"FHIR-{type}-read",
        name=f"Read {type}",
        actor=ACTOR,
        source="FHIR R4, 3.1.0.2",
        face=Fhir(type, "read"),
        decode=decode_read,
        handle=_reader(type),
        encode=fhir.shown,
    )


def decode_read(request: Request, id: str) -> Read:
    """The resource that is asked for.

    Raises:
        Rejected: NotAcceptable or NotFound.
    """
    return fhir.read_of(request, id)


def _reader(type: ResourceType) -> Callable[[Read, House, Caller], Shown]:
    def handle(read: Read, house: House, caller: Caller) -> Shown:
        return Shown(house.registry.read(type, read.id, caller), read.held, house.settings.base_url)

    return handle
