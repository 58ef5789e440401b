"""Against the plain recursive definitions of RFC 9162, and known answers of Certificate Transparency."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify.merkle import (
    EMPTY_ROOT,
    Node,
    consistency_spans,
    grown,
    inclusion_spans,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root_of,
    subtrees,
)

# Leaves and roots of Certificate Transparency's reference implementation (trees of 1, 2, 3, 7 and 8 of these leaves).
KNOWN_LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"
)]  # fmt: skip
KNOWN_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}

SIZES = st.integers(1, 70)


def defined_root(leaves: list[bytes]) -> bytes:
    """Section 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


def tree(size: int, *, in_steps_of: int = 7) -> dict[Node, bytes]:
    nodes: dict[Node, bytes] = {}
    for start in range(0, size, in_steps_of):
        end = min(start + in_steps_of, size)
        frontier = {node: nodes[node] for node in subtrees((0, start))}
        nodes |= grown(start, [leaf_hash(bytes([place])) for place in range(start, end)], frontier)
    return nodes


def inclusion(index: int, size: int) -> list[bytes]:
    return [root_of(span, tree(size)) for span in inclusion_spans(index, size)]


def consistency(old: int, new: int) -> list[bytes]:
    return [root_of(span, tree(new)) for span in consistency_spans(old, new)]


@pytest.mark.parametrize("size", KNOWN_ROOTS)
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    nodes = grown(0, [leaf_hash(leaf) for leaf in KNOWN_LEAVES[:size]], {})
    assert root_of((0, size), nodes).hex() == KNOWN_ROOTS[size]


@given(st.integers(0, 70))
def test_a_tree_that_grew_has_the_root_of_its_definition(size: int) -> None:
    assert root_of((0, size), tree(size)) == defined_root([bytes([place]) for place in range(size)])


@given(SIZES, st.data())
def test_every_leaf_is_provable_and_nowhere_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path, root = inclusion(index, size), root_of((0, size), tree(size))
    leaf = leaf_hash(bytes([index]))
    assert is_included(leaf=leaf, index=index, size=size, path=path, root=root)
    assert not is_included(leaf=leaf_hash(b"other"), index=index, size=size, path=path, root=root)
    assert not is_included(leaf=leaf, index=index + 1, size=size, path=path, root=root)
    assert not is_included(leaf=leaf, index=index, size=size, path=[*path, b"x" * 32], root=root)
    if path:
        assert not is_included(leaf=leaf, index=index, size=size, path=path[:-1], root=root)


@given(SIZES, st.data())
def test_a_tree_continues_each_tree_that_it_grew_from_and_no_other(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    path = consistency(old, new)
    roots = {"old_root": root_of((0, old), tree(new)), "new_root": root_of((0, new), tree(new))}
    assert is_consistent(old=old, new=new, path=path, **roots)
    assert not is_consistent(old=old, new=new, path=path, **{**roots, "old_root": EMPTY_ROOT})
    assert not is_consistent(old=old, new=new, path=[*path, b"x" * 32], **roots)
    if old < new:
        assert not is_consistent(old=old, new=new, path=path, **{**roots, "new_root": EMPTY_ROOT})
        assert not is_consistent(old=old, new=new, path=path[:-1], **roots)


def test_every_tree_continues_the_empty_one() -> None:
    root = root_of((0, 5), tree(5))
    assert is_consistent(old=0, new=5, path=[], old_root=EMPTY_ROOT, new_root=root)
    assert not is_consistent(old=0, new=5, path=[], old_root=root, new_root=root)
