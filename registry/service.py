"""The Registry: register what is submitted, answer what is asked.

Everything that is written goes through one unit of work with its audit record; everything that is read takes the
caller's visibility and is audited before it is returned.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from uuid import uuid4

from database.engine import Database, Unit
from registry import (
    changing,
    following,
    identities,
    lifecycle,
    manifests,
    merges,
    patients,
    reports,
    studies,
    withdrawing,
)
from registry import stale as stale_bodies
from registry.access import Caller, OpenPolicy
from registry.answers import Answer, Kind
from registry.audit import CREATE, EXECUTE, READ, AuditRecord, ReadAudit, audit_write
from registry.domain import Domain
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import canonical, with_uuids
from registry.metadata.model import PatientDetails, StudyDescription, Submission
from registry.prepared import Prepared
from registry.queries import (
    FindDocuments,
    FindFolders,
    FindResources,
    ResourceType,
    ReturnType,
    StoredQuery,
)
from registry.renderers import Renderers
from registry.resources import Found, StoredResource
from registry.state import named
from registry.store import documents, folders, registration, resource_rows, resources, stored_queries
from registry.store.approved import approved_entry
from registry.store.state import state_of


class Registry:
    """The Document Registry actor.

    `describe(uid, source)` gives the present contents of a held study; `moved(unit, unique_id, patient_id)` is told of
    a document that an update or a removal may have given to another patient.
    """

    def __init__(
        self,
        database: Database,
        renderers: Renderers,
        audit: ReadAudit,
        domain: Domain,
        policy: OpenPolicy,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._renderers = renderers
        self._audit = audit
        self._domain = domain
        self._policy = policy
        self._now = now
        self._admission = patients.Admission(domain.authorities, domain.fed_only)
        self._patient_of: dict[str, str] = {}
        self.describe: Callable[[str, str], StudyDescription] | None = None
        self.moved: Callable[[Unit, str, str], None] | None = None

    # --- writing ---

    def check(self, submission: Submission, caller: Caller) -> list[Finding]:  # noqa: ARG002
        """What of the registry's state keeps `submission`, right or wrong by itself, from being registered."""
        return self._problems(self._database, submission)

    def submit(self, submission: Submission, caller: Caller) -> None:
        """Register `submission` in a unit of work of its own.

        Raises:
            Rejected: with everything that is wrong.
        """
        prepared = self.prepare(submission)

        def work(unit: Unit) -> None:
            self.register(unit, prepared, caller)
            supersede = self._domain.supersede
            manifests.settle_unread(unit, prepared.ready, caller, self._means(), supersede=supersede)

        self._database.transact(work)

    def prepare(self, submission: Submission) -> Prepared:
        """`submission`, which passed the rules of ITI TF-3, rendered and ready to be registered."""
        ready = with_uuids(submission)
        said = [patients.details_of(entry) for entry in ready.entries]
        patient = said[0] if said else PatientDetails(str(ready.submission_set.patient_id))
        known = self._database.rows(resource_rows.PATIENT_ROW, patient=patient.patient_id)
        fhir_id = str(known[0][0]) if known else str(uuid4())
        now = self._now()
        return Prepared(submission, ready, patient, fhir_id, now, self._rows_of(ready, fhir_id, now))

    def register(self, unit: Unit, prepared: Prepared, caller: Caller) -> None:
        """Register what was prepared within `unit`: all of it or nothing.

        Raises:
            Rejected: with everything that is wrong.
        """
        submission = prepared.submission
        ids, unique_ids = named(submission)
        unit.lock(*ids, *unique_ids, canonical(submission.submission_set.patient_id) or "")
        problems = self._problems(unit, submission)
        if problems:
            raise Rejected(problems)
        now, ready = prepared.now, prepared.ready
        fhir_id = patients.take(unit, prepared.patient, self._renderers, now, prepared.fhir_id)
        # The patient may have become known under another id since; then the bodies name the wrong one.
        rows = prepared.rows if fhir_id == prepared.fhir_id else self._rows_of(ready, fhir_id, now)
        for table, some in rows:
            unit.insert(table, some)
        deprecated = registration.deprecate(unit, ready.associations, now)
        folders.add(unit, ready, self._renderers, now)
        reports.register(unit, ready, self._domain.report_types, deprecated, now)
        objects = tuple(e.id for e in ready.entries) or (ready.submission_set.id,)
        audit_write(unit, AuditRecord(caller, CREATE, (prepared.patient.patient_id,), objects), now)

    def _rows_of(self, ready: Submission, fhir_id: str, now: float) -> registration.Rows:
        return registration.rows_of(ready, self._renderers, fhir_id, now)

    def know_patient(self, unit: Unit, patient: PatientDetails, caller: Caller) -> None:  # noqa: ARG002
        """See `repository.registrar.Registrar`."""
        wrong = self.unknown_patients(unit, (patient.patient_id,))
        if wrong:
            raise Rejected(wrong.values())
        patients.take(unit, patient, self._renderers, self._now())

    def know_study(
        self,
        unit: Unit,
        study: StudyDescription,
        caller: Caller,  # noqa: ARG002
        *,
        manifest_id: str | None = None,
    ) -> None:
        """See `repository.registrar.Registrar`."""
        modalities = tuple(dict.fromkeys(s.modality for s in study.series if s.modality))
        self._know(unit, study, studies.MANIFEST, modalities, manifest_id)

    def know_manifest(self, unit: Unit, note: manifests.ManifestNote, caller: Caller) -> bool:
        """See `repository.registrar.Registrar`."""
        return manifests.settle(unit, note, caller, self._means(), supersede=self._domain.supersede)

    def sources_of(self, unit: Unit, study_uid: str) -> dict[str, str | None]:
        """See `repository.registrar.Registrar`."""
        return dict(unit.rows(resource_rows.STUDY_SOURCES, uid=study_uid))

    def touch_study(
        self,
        unit: Unit,
        study: StudyDescription,
        modalities: tuple[str, ...],
        caller: Caller,  # noqa: ARG002
    ) -> None:
        """See `repository.registrar.Registrar`."""
        self._know(unit, study, studies.HELD, modalities, None)

    def withdraw(self, unit: Unit, entries: Sequence[str], caller: Caller, *, remove: bool = False) -> tuple[str, ...]:
        """See `repository.registrar.Registrar`."""
        if remove:
            return withdrawing.remove(unit, entries, caller, self._means())
        withdrawing.deprecate(unit, entries, caller, self._means())
        return ()

    def withdraw_study(self, unit: Unit, uid: str, source: str, *, expired: bool) -> None:
        """See `repository.registrar.Registrar`."""
        withdrawing.withdraw_study(unit, uid, source, self._now(), expired=expired)

    def forget_study(self, unit: Unit, uid: str, source: str) -> None:
        """See `repository.registrar.Registrar`."""
        withdrawing.forget_study(unit, uid, source, self._now())

    def _know(
        self, unit: Unit, study: StudyDescription, origin: str, modalities: tuple[str, ...], manifest_id: str | None
    ) -> None:
        studies.know(unit, study, origin, modalities, self._renderers, self._domain.locations, self._now(), manifest_id)

    def _problems(self, reader: Database | Unit, submission: Submission) -> list[Finding]:
        found = list(lifecycle.problems(submission, state_of(reader, submission)))
        patient_id = canonical(submission.submission_sets[0].patient_id) if submission.submission_sets else None
        return [*found, *self.unknown_patients(reader, (patient_id,) if patient_id else ()).values()]

    # --- updating and removing ---

    def check_update(self, submission: Submission, caller: Caller, *, restricted: bool = False) -> list[Finding]:  # noqa: ARG002
        """What of the registry's state keeps an update from being made: ITI-57, or ITI-92 when it is `restricted`."""
        return changing.problems(self._database, submission, self._means(), restricted=restricted)[0]

    def update(self, submission: Submission, caller: Caller, *, restricted: bool = False) -> None:
        """Do what a metadata update asks: new versions, statuses, associations; all of it or nothing.

        Raises:
            Rejected: with everything that is wrong.
        """
        means = self._means()
        self._database.transact(lambda unit: changing.update(unit, submission, caller, means, restricted=restricted))

    def remove(self, ids: Sequence[str], caller: Caller) -> None:
        """Remove the objects with these entryUUIDs and all that was made of them; all or nothing (ITI-62).

        Raises:
            Rejected: with everything that is wrong.
        """
        means = self._means()
        self._database.transact(lambda unit: changing.remove(unit, ids, caller, means))

    def _means(self) -> changing.Means:
        report_types = self._domain.report_types
        return changing.Means(self._renderers, report_types, self._admission, self._now(), self.moved)

    # --- patient identities ---

    def patient(self, reader: Database | Unit, patient_id: str) -> PatientDetails | None:
        """See `repository.registrar.Registrar`."""
        known = reader.rows(resource_rows.PATIENT_ROW, patient=patient_id)
        return PatientDetails(patient_id, *known[0][1:5]) if known else None

    def unknown_patients(self, reader: Database | Unit, patient_ids: Iterable[str]) -> dict[str, Finding]:
        """See `repository.registrar.Registrar`."""
        return dict(patients.problems(reader, patient_ids, self._admission))

    def survivors(self, reader: Database | Unit, patient_ids: Iterable[str]) -> dict[str, str]:
        """See `repository.registrar.Registrar`."""
        return {away.patient_id: away.survivor for away in merges.merged(reader, patient_ids).values()}

    def same_patient(self, value: str, authority: str | None) -> tuple[str, ...]:
        """See `repository.registrar.Registrar`."""
        return merges.same_as(self._database, value, authority)

    def every_id(self, patient_ids: Iterable[str]) -> frozenset[str]:
        """These patient ids (canonical CX texts), and all that are one patient's with any of them."""
        return frozenset(merges.everyone(self._database, tuple(patient_ids)))

    def identify(self, change: identities.Change, caller: Caller) -> None:
        """Do what a feed tells of patients (ITI-8, ITI-44): add or revise, merge, unmerge; all of it or nothing.

        Raises:
            Rejected: XDSUnknownPatientId, an id is of a foreign authority, or is to be merged and no feed told of it;
                PatientLinkConflict, the merges that stand do not allow this one.
        """
        self._database.transact(
            lambda unit: identities.apply(unit, change, self._admission, self._renderers, caller, self._now())
        )

    # --- stored queries ---

    def query(self, query: StoredQuery, returns: ReturnType, caller: Caller) -> Answer:
        """The answer to a stored query.

        Raises:
            Rejected: XDSTooManyResults, XDSResultNotSinglePatient.
        """
        visibility = self._policy.visibility(caller)
        most = self._domain.most_results

        def ask(query: StoredQuery, unmerged: bool) -> Answer:
            return stored_queries.answer(self._database, query, returns, visibility, most, unmerged=unmerged)

        settled: frozenset[str]
        if isinstance(query, FindDocuments):
            answer, settled = following.answered(self._database, query, ask, lambda found: found.objects or found.refs)
        else:
            query, settled = following.widened(self._database, query)
            answer = ask(query, False)
        if len(answer.objects) > most:
            text = f"more than {most} objects match; ask for ObjectRef, or for less"
            raise Rejected.because(ErrorCode.XDSTooManyResults, "", text, "ITI TF-2, 3.18.4.1.2.6")
        several = isinstance(query, FindDocuments | FindFolders) and query.several_patients
        if several and len(answer.refs) > documents.MOST_REFS:
            text = f"more than {documents.MOST_REFS} objects match; ask for less"
            raise Rejected.because(ErrorCode.XDSTooManyResults, "", text, "ITI TF-2, 3.51.4.1.3")
        answer = replace(answer, objects=following.shown(self._database, answer.objects, settled, self._renderers))
        owners = tuple(sorted({o.patient_id for o in answer.objects}))
        if len(owners) > 1 and not several:
            self._check_single(answer)
        self._audit.keep(
            AuditRecord(
                caller,
                EXECUTE,
                owners or following.named(query),
                (type(query).__name__,),
                count=len(answer.objects) or len(answer.refs),
            )
        )
        return answer

    def _check_single(self, answer: Answer) -> None:
        """That the answer's objects are one patient's; an association may lead to another's (mother and child)."""
        if len({o.patient_id for o in answer.objects if o.kind is not Kind.ASSOCIATION}) > 1:
            text = "the answer would hold objects of more than one patient; ask for ObjectRef"
            raise Rejected.because(ErrorCode.XDSResultNotSinglePatient, "", text, "ITI TF-2, 3.18.4.1.2.3.7.5")

    # --- FHIR ---

    def find_document_references(self, query: FindDocuments, caller: Caller) -> Found:
        """A page of DocumentReferences, newest first."""
        visibility = self._policy.visibility(caller)

        def ask(query: FindDocuments, unmerged: bool) -> tuple[Found, resources.Owners]:
            return resources.find_document_references(self._database, query, visibility, unmerged=unmerged)

        (found, owners), settled = following.answered(self._database, query, ask, lambda answer: answer[0].items)
        self._searched(caller, ResourceType.DOCUMENT_REFERENCE, following.named(query), found)
        return self._followed(found, owners, settled)

    def search(self, query: FindResources, caller: Caller) -> Found:
        """A page of resources of `query.type`, newest first."""
        visibility = self._policy.visibility(caller)

        def ask(query: FindResources, unmerged: bool) -> tuple[Found, resources.Owners]:
            return resources.find(self._database, query, visibility, unmerged=unmerged)

        (found, owners), settled = following.answered(self._database, query, ask, lambda answer: answer[0].items)
        if not all(item.body for item in found.items):
            # What was removed since it was found is left out.
            whole = [
                (item if item.body else self._rendered(item), owner)
                for item, owner in zip(found.items, owners, strict=True)
            ]
            kept = [(item, owner) for item, owner in whole if item]
            total = found.total - len(whole) + len(kept)
            found, owners = Found([item for item, _ in kept], total, found.next), [owner for _, owner in kept]
        self._searched(caller, query.type, query.patient_ids or (), found)
        return found if query.type in following.ABOUT_NOBODY else self._followed(found, owners, settled)

    def read(self, type: ResourceType, id: str, caller: Caller) -> StoredResource:
        """One resource.

        Raises:
            Rejected: NotFound, also for one that the caller may not see: the two answers must not differ.
        """
        missing = Rejected.because(
            ErrorCode.NotFound, f"{type}/{id}", "there is no such resource here", "FHIR R4, 3.1.0.1.3"
        )
        known = resources.read(self._database, type, id)
        if known is None or not (type is ResourceType.ENDPOINT or self._policy.visibility(caller).admits(known[1])):
            raise missing
        found, patient = known
        whole = found if found.body else self._rendered(found)
        if whole is None:
            raise missing
        self._audit.keep(AuditRecord(caller, READ, (patient,) if patient else (), (f"{type}/{id}",), count=1))
        return whole if type in following.ABOUT_NOBODY else self._followed(Found([whole], 1), [patient]).items[0]

    def patient_ids(self, fhir_id: str) -> tuple[str, ...]:
        """Canonical CX texts of a FHIR Patient; empty when there is none."""
        known = self._patient_of.get(fhir_id)
        if known is None:
            rows = self._database.rows(resource_rows.PATIENT_OF, id=fhir_id)
            if not rows:
                return ()
            # An id never changes its patient, so it may be remembered; the cap is against memory, not staleness.
            if len(self._patient_of) > 100_000:
                self._patient_of.clear()
            known = self._patient_of[fhir_id] = str(rows[0][0])
        return (known,)

    def entries(self, ids: Iterable[str], caller: Caller) -> list[documents.EntryFacts]:
        """What it takes to give the documents of entries (bare UUIDs); the giving is what is audited."""
        return documents.facts(self._database, list(ids), self._policy.visibility(caller))

    def approved_entry(self, unique_id: str) -> str | None:
        """See `repository.registrar.Registrar`."""
        return approved_entry(self._database, unique_id)

    def _followed(self, found: Found, owners: Iterable[str | None], settled: frozenset[str] = frozenset()) -> Found:
        items = following.about(self._database, found.items, owners, settled, self._renderers)
        return Found(items, found.total, found.next)

    def _searched(self, caller: Caller, type_: ResourceType, owners: tuple[str, ...], found: Found) -> None:
        self._audit.keep(AuditRecord(caller, EXECUTE, owners, (str(type_),), count=found.total))

    def _rendered(self, stale: StoredResource) -> StoredResource | None:
        """A stale resource with its body: rendered of what is known now, and kept for the next reader; None: gone."""

        def work(unit: Unit) -> bytes | None:
            locations = self._domain.locations
            return stale_bodies.render(unit, stale, self._renderers, self.describe, locations, self._now())

        body = self._database.transact(work)
        if body is None:
            return None
        return StoredResource(stale.type, stale.id, stale.version, stale.updated, stale.status, body)
