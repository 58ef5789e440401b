"""ID photos as they come: whether each can be read whole. Nobody has consented yet, so no face is looked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from models.errors import ImageError
from models.image import DEFAULT_LIMITS, decode_image
from verify.errors import Invalid

MOST_PIXELS = 400_000_000
"""Of all photos of one request. A camera's JPEG takes a byte for four pixels or so: the 24 MiB of photos that a body of
32 MiB carries have 100 million. A picture of one colour, which takes next to nothing, is what this is against."""

ENOUGH_PIXELS = 1
"""Of the longer side: a JPEG is read whole also where it is transformed back at an eighth of its size."""

Runner = Callable[[str, Sequence[Callable[[], None]]], Awaitable[None]]
"""Runs the pieces of a client's (id) work off the event loop, one after the other, until one of them raises."""


@dataclass(slots=True)
class Allowance:
    """How many pixels the photos of one request may still have."""

    pixels: int = MOST_PIXELS

    def check(self, photo: bytes) -> None:
        """Whether a photo can be read whole. One that is too large is refused before it is decoded.

        Raises:
            ImageError: as `decode_image`. Invalid: `photos_too_many_pixels`.
        """
        limits = replace(DEFAULT_LIMITS, max_pixels=min(self.pixels, DEFAULT_LIMITS.max_pixels))
        try:
            frame = decode_image(photo, limits=limits, least=ENOUGH_PIXELS)
        except ImageError as error:
            if error.code == "image_too_many_pixels" and limits != DEFAULT_LIMITS:
                raise _too_many() from None
            raise
        height, width, _ = frame.pixels.shape
        self.pixels = max(0, self.pixels - height * width * frame.reduction**2)


async def one_by_one(client_id: str, works: Sequence[Callable[[], None]]) -> None:  # noqa: ARG001
    """See `Runner`: for a process with one client."""
    for work in works:
        await asyncio.to_thread(work)


def _too_many() -> Invalid:
    message = (
        f"the photos of one request may have {MOST_PIXELS} pixels together; send smaller ones, or fewer at once: "
        "people can be added to an open case one by one"
    )
    return Invalid("photos_too_many_pixels", message)
