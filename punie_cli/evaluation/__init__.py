"""Suites, cases and scores."""
