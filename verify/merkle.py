"""Merkle trees as RFC 9162 (section 2.1) hashes and proves them; SHA-256.

A tree is known by the hashes of its complete subtrees. A `Node` (level, index) covers the leaves from `index << level`
to the one before `(index + 1) << level`; growing the tree never changes one, so that they can be stored for good.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

Node = tuple[int, int]
Nodes = Mapping[Node, bytes]
Span = tuple[int, int]
"""Leaves from the first number to the one before the second."""

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """Hash of a leaf."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def subtrees(span: Span) -> tuple[Node, ...]:
    """The largest complete subtrees that make up a span of a tree, from left to right."""
    start, end = span
    found = list[Node]()
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return tuple(found)


def root_of(span: Span, nodes: Nodes) -> bytes:
    """Hash of a span, from those of its subtrees."""
    hashes = [nodes[node] for node in subtrees(span)]
    if not hashes:
        return EMPTY_ROOT
    root = hashes.pop()
    while hashes:
        root = node_hash(hashes.pop(), root)
    return root


def grown(size: int, leaves: Iterable[bytes], nodes: Nodes) -> dict[Node, bytes]:
    """The nodes that appear when leaf hashes are appended to a tree of `size`, whose own subtrees are in `nodes`."""
    new: dict[Node, bytes] = {}
    for place, leaf in enumerate(leaves, size):
        level, index, value = 0, place, leaf
        new[level, index] = value
        while index % 2:
            left = (level, index - 1)
            value = node_hash(new[left] if left in new else nodes[left], value)
            level, index = level + 1, index // 2
            new[level, index] = value
    return new


def inclusion_spans(index: int, size: int) -> tuple[Span, ...]:
    """The spans whose hashes prove that leaf `index` is in the tree of `size`, in order (2.1.3.1)."""
    start, end, path = 0, size, list[Span]()
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return tuple(reversed(path))


def consistency_spans(old: int, new: int) -> tuple[Span, ...]:
    """The spans whose hashes prove that the tree of `new` continues that of `old` > 0, in order (2.1.4.1)."""
    start, end, path, is_old_tree = 0, new, list[Span](), True
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, is_old_tree = middle, False
    if not is_old_tree:
        path.append((start, end))
    return tuple(reversed(path))


def is_included(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path proves that a leaf hash stands at `index` of the tree with this size and root (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place % 2 or place == last:
            value = node_hash(sibling, value)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and value == root


def is_consistent(*, old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether a path proves that the tree of `new` leaves begins with the one of `old` (2.1.4.2)."""
    if old in {0, new}:
        return not path and (old_root == new_root if old else old_root == EMPTY_ROOT)
    if old > new or not path:
        return False
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    place, last = old - 1, new - 1
    while place % 2:
        place, last = place >> 1, last >> 1
    first = second = hashes[0]
    for value in hashes[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            first, second = node_hash(value, first), node_hash(value, second)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, value)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(count: int) -> int:
    """The largest power of two below a number of leaves."""
    return 1 << (count - 1).bit_length() - 1
