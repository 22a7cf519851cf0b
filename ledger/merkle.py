"""Merkle trees as in RFC 6962 section 2.1: root, inclusion proof and its verification. Pure.

The ledger's leaves are the entries' hashes, 32 octets each; a proof of a few hashes then shows that one entry is under
a signed root, and nothing of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf; its prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over the hashes of its two halves."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the tree's hash, 32 octets; without leaves that of nothing."""
    waiting: list[tuple[int, bytes]] = []  # full subtrees that have no sibling yet: (leaves, hash)
    for leaf in leaves:
        size, value = 1, leaf_hash(leaf)
        while waiting and waiting[-1][0] == size:
            value = node_hash(waiting.pop()[1], value)
            size *= 2
        waiting.append((size, value))
    if not waiting:
        return hashlib.sha256().digest()
    value = waiting.pop()[1]
    while waiting:
        value = node_hash(waiting.pop()[1], value)
    return value


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from leaf `index` to the root, the nearest first (section 2.1.1)."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"no leaf {index} among {len(leaves)}")
    proof: list[bytes] = []
    while len(leaves) > 1:
        half = 1 << (len(leaves) - 1).bit_length() - 1
        left, right = leaves[:half], leaves[half:]
        if index < half:
            proof.append(root(right))
            leaves = left
        else:
            proof.append(root(left))
            leaves, index = right, index - half
    proof.reverse()
    return proof


def includes(leaf: bytes, index: int, size: int, proof: Sequence[bytes], tree: bytes) -> bool:
    """Say whether `proof` shows that `leaf` is number `index` of `size` under the root `tree`.

    The walk is that of RFC 9162 section 2.1.3.2, which says it for the same trees.
    """
    if not 0 <= index < size:
        return False
    here, last, value = index, size - 1, leaf_hash(leaf)
    for other in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            value = node_hash(other, value)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            value = node_hash(value, other)
        here, last = here >> 1, last >> 1
    return last == 0 and value == tree
