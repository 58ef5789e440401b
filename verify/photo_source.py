"""The contract of an authority's photo service: the ID photo of a person by number and name, so that nobody submits it.

Asked only after the person has consented. What comes back becomes a template at once; nothing else of it is kept.
"""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Whose photo: the document's type, its number in normal form, and the name as the client entered it."""

    id_type: str
    id_number: str = field(repr=False)
    name: str = field(repr=False)


class NoPhotoError(Exception):
    """The authority answers that it has no photo of such a person: unknown number, or another name.

    Which of the two it was stays with the operator: told to a client, it would tell whose name a number bears.
    """


class PhotoDelayedError(Exception):
    """The authority does not answer as it should; asking again after `retry_after` seconds may help."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PhotoSource(Protocol):
    """An authority's photo service."""

    async def fetch(self, sought: Sought) -> bytes:
        """The photo's bytes: JPEG, PNG or WebP. Raises NoPhotoError, PhotoDelayedError."""
        ...


@dataclass(frozen=True, slots=True)
class NoSource:
    """Where no authority was set up, and in test mode, whose people are in no register."""

    async def fetch(self, _: Sought) -> bytes:
        """Raises NoPhotoError."""
        raise NoPhotoError


NOTHING = NoSource()
