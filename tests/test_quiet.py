"""Warnings about a model's code are not shown, and all others as before."""

import threading
import warnings

import pytest

from punie_cli.quiet import quiet


def test_what_is_shown_afterwards_does_not_depend_on_threads() -> None:
    before = list(warnings.filters)

    def work() -> None:
        for _ in range(300):
            with quiet():
                compile("1 is 1", "<code>", "exec")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before
    with pytest.warns(SyntaxWarning):
        compile("1 is 1", "<code>", "exec")
