"""Embeddings: unit vectors that know which weights and preprocessing made them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from models.alignment import AlignedFace
from models.errors import ModelError
from models.network import PictureNetwork


@dataclass(frozen=True, slots=True)
class Embedding:
    """`vector`: float32 (D,), L2-normalised, read-only. `contract`: id of weights and preprocessing."""

    vector: NDArray[np.float32]
    contract: str

    def __post_init__(self) -> None:
        vector = normalised(self.vector)
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)

    def to_bytes(self) -> bytes:
        """Little-endian float32; the contract is kept beside it by whoever stores it."""
        return self.vector.astype("<f4").tobytes()

    @classmethod
    def from_bytes(cls, content: bytes, *, contract: str) -> "Embedding":
        """Raises ModelError `embedding_not_finite` if the bytes are no vector."""
        if not content or len(content) % 4:
            raise ModelError("embedding_not_finite", "the stored template is damaged: take a new reference photo")
        return cls(np.frombuffer(content, "<f4").astype(np.float32), contract)


@dataclass(frozen=True, slots=True)
class Embedder:
    """Turns aligned faces into embeddings. Thread safe."""

    network: PictureNetwork
    contract: str

    def embed(self, faces: Sequence[AlignedFace]) -> tuple[Embedding, ...]:
        """One embedding a face, in order. Raises ModelError `embedding_not_finite`."""
        if not faces:
            return ()
        pictures = np.stack([face.pixels for face in faces]) if len(faces) > 1 else faces[0].pixels[None]
        vectors = self.network.run(pictures)[0]
        return tuple(Embedding(vector, self.contract) for vector in vectors)

    def reference(self, face: AlignedFace) -> Embedding:
        """Mean of a face and its mirror image, for a template: costs a second run, and keeps some errors away (docs:
        accuracy). Raises as `embed`."""
        return mean_embedding(self.embed([face, face.mirrored()]))


def normalised(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length 1, a copy. Raises ModelError `embedding_not_finite` for NaN, infinity and zero."""
    exact = vector.astype(np.float64)
    length = sqrt(exact @ exact)
    if not isfinite(length) or length == 0.0:
        raise ModelError(
            "embedding_not_finite", "the network gave no finite vector for this face; nothing was compared"
        )
    return np.asarray(vector / length, dtype=np.float32)


def cosine(one: Embedding, other: Embedding) -> float:
    """Cosine, -1 to 1. Raises ModelError `embedding_contract_mismatch` for embeddings of two contracts."""
    if one.contract != other.contract:
        raise ModelError(
            "embedding_contract_mismatch",
            f"an embedding of {one.contract!r} cannot be compared with one of {other.contract!r}: "
            "take a new reference photo with the model in use",
        )
    return float(np.clip(np.dot(one.vector, other.vector), -1.0, 1.0))


def mean_embedding(embeddings: Sequence[Embedding]) -> Embedding:
    """Normalised mean of embeddings of one contract.

    Raises:
        ValueError: there is none.
        ModelError: `embedding_contract_mismatch`; `embedding_not_finite` if they cancel.
    """
    if not embeddings:
        raise ValueError("the mean of no embeddings is asked for")
    for other in embeddings[1:]:
        cosine(embeddings[0], other)
    return Embedding(np.mean([embedding.vector for embedding in embeddings], axis=0), embeddings[0].contract)
