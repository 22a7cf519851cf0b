"""Why something cannot be read, in words for the person who asks the reporter for it again."""

from __future__ import annotations


class UnreadError(ValueError):
    """No claim can be made of this; the message says why."""
