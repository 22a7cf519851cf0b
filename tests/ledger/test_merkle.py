"""The Merkle tree against the published test vectors of Certificate Transparency, and its proofs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle, standalone

LEAVES = [bytes.fromhex(leaf) for leaf in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
# certificate-transparency, merkletree/merkle_tree_test.cc: the roots over the first 1, 2, 3, 5 and 8 of these
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def test_roots_are_those_of_the_vectors() -> None:
    assert {size: merkle.root(LEAVES[:size]).hex() for size in ROOTS} == ROOTS
    assert {size: standalone.root(LEAVES[:size]).hex() for size in ROOTS} == ROOTS
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70, unique=True), st.data())
def test_a_proof_shows_its_leaf_and_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    tree, size = merkle.root(leaves), len(leaves)
    assert tree == standalone.root(leaves)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(leaves, index)
    assert merkle.includes(leaves[index], index, size, proof, tree)
    assert not merkle.includes(leaves[index] + b"x", index, size, proof, tree)
    assert not merkle.includes(leaves[index], size, size, proof, tree)
    assert not merkle.includes(leaves[index], index, size, [*proof, tree], tree)
    other = data.draw(st.integers(0, size - 1))
    assert merkle.includes(leaves[index], other, size, proof, tree) is (other == index)
    if proof:
        changed = data.draw(st.integers(0, len(proof) - 1))
        wrong = [bytes(32) if at == changed else node for at, node in enumerate(proof)]
        assert not merkle.includes(leaves[index], index, size, wrong, tree)
        assert not merkle.includes(leaves[index], index, size, proof[:-1], tree)
