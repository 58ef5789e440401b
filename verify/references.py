"""Where a subject's reference is kept, and what it is bound to."""

from verify.casefile import Case, Subject
from verify.vault import Vault


def reference_binding(subject: Subject, form: str) -> tuple[str, ...]:
    """What a portrait or a template is bound to: subject, version, and the template's contract as `form`."""
    return (subject.id, "reference", str(subject.reference_version), form)


def name_binding(subject: Subject) -> tuple[str, ...]:
    """What a subject's sealed name is bound to."""
    return (subject.id, "name")


def open_name(vault: Vault, case: Case, subject: Subject) -> str:
    """A subject's name in clear."""
    return vault.open(
        subject.name_sealed, case_id=case.id, wrapped_key=case.wrapped_key, bound_to=name_binding(subject)
    ).decode()


def number_binding(subject: Subject) -> tuple[str, ...]:
    """What the sealed number of a subject's ID document is bound to."""
    return (subject.id, "number", str(subject.reference_version))


def blob_name(subject: Subject) -> str:
    """Where a subject's encrypted portrait or template is kept."""
    return f"reference:{subject.id}"
