"""What the configuration says to the decoders: of each exporter, and of what they may keep."""

from __future__ import annotations

import numpy as np

from decoders import Limits, Senders
from settings.config import Config


def senders_of(config: Config) -> Senders:
    """Return what the configuration says of each exporter, and nothing of those it does not list."""
    exporters = config.exporters
    return Senders(
        np.array([*(exporter.sampling_rate or 0 for exporter in exporters), 0], np.uint32),
        np.array([*(exporter.default_sampling_rate or 0 for exporter in exporters), 0], np.uint32),
        np.array([*(exporter.trust_exporter_address for exporter in exporters), False], np.bool_),
        np.array([*(exporter.separate_ports for exporter in exporters), False], np.bool_),
    )


def limits_of(config: Config) -> Limits:
    """Return the bounds on what the decoders keep for exporters, and which addresses they take."""
    kept = config.decoding
    return Limits(
        template_lifetime=kept.template_lifetime_seconds * 1000,
        waiting_time=kept.wait_for_template_seconds * 1000,
        waiting_octets=kept.wait_for_template_size,
        inner=kept.addresses == "inner",
    )
