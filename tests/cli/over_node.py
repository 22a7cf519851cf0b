"""Commands over a node that a test has, without a collector."""

from __future__ import annotations

from pathlib import Path

from storage.embedded import Node


def configured(node: Node, directory: Path, *lines: str) -> Path:
    """Write a configuration, with further `lines`, by which commands find the node; return its path."""
    for name in ("tenants.csv", "retention.yaml"):
        (directory / name).write_text("")
    usual = (
        f"data_dir: {node.files.root.parent}",
        'listen: ["127.0.0.1:2055"]',
        "allow_unlisted_exporters: true",
        "tenants: tenants.csv",
        "retention: retention.yaml",
        "storage: {mode: embedded}",
    )
    config = directory / "flowkeep.yaml"
    config.write_text("\n".join((*usual, *lines)) + "\n")
    return config
