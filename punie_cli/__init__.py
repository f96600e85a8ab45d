"""punie: a local coding agent that its user can retrain."""

__version__ = "0.1.0"
