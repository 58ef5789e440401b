"""Where a subject's reference is kept, and what it is bound to."""

from verify.casefile import Subject


def reference_binding(subject: Subject, form: str) -> tuple[str, ...]:
    """What a portrait or a template is bound to: subject, version, and the template's contract as `form`."""
    return (subject.id, "reference", str(subject.reference_version), form)


def blob_name(subject: Subject) -> str:
    """Where a subject's encrypted portrait or template is kept."""
    return f"reference:{subject.id}"
