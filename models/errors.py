"""What can go wrong between bytes and numbers.

    ModelsError
    ├── ImageError      the bytes are no picture that can be used
    ├── FaceError       the picture is fine, but does not show one usable face
    └── ModelError      weights, providers or the numbers that came out
        └── EngineUnavailableError  networks that run elsewhere do not answer: repeat after `retry_after` seconds

Each carries a short stable `code`; its message says what is wrong and how to mend it.
"""


class ModelsError(Exception):
    """Root of the tree."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def for_operators(self) -> str:
        """The message, and what only they may know."""
        return str(self)


class ImageError(ModelsError):
    """`image_empty`, `image_unsupported`, `image_truncated`, `image_animated`, `image_too_many_bytes`,
    `image_too_many_pixels`, `image_too_small`."""


class FaceError(ModelsError):
    """`face_none`, `face_several`, `face_too_small`."""


class ModelError(ModelsError):
    """`model_unknown`, `model_missing`, `model_checksum_mismatch`, `model_source_unavailable`, `model_invalid`,
    `manifest_invalid`, `pack_unknown`, `licence_not_accepted`, `provider_missing`, `embedding_not_finite`,
    `embedding_contract_mismatch`, `logit_not_finite`, `engine_missing`, `engine_mismatch`, `engine_answer_invalid`."""


class EngineUnavailableError(ModelError):
    """`engine_unavailable`: networks that run elsewhere do not answer; nothing was issued."""

    def __init__(self, detail: str, *, reason: str = "", retry_after: float = 5.0) -> None:
        """`reason`: what others said of it, which may name machines: for operators alone."""
        message = f"the networks on Ray Serve do not answer: {detail}; nothing was issued, repeat it"
        super().__init__("engine_unavailable", message)
        self.reason = reason
        self.retry_after = retry_after

    @property
    def for_operators(self) -> str:
        """As `ModelsError.for_operators`."""
        return f"{self} ({self.reason})" if self.reason else str(self)
