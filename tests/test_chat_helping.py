"""The lists of /help and /keys in windows of any width."""

from punie_cli.chat.helping import table

SECTIONS = [("One", [("/a", "does what it is told to do"), ("/long NAME", "x")]), ("Two", [("/b", "is short")])]


def test_what_commands_do_is_broken_at_words_under_itself() -> None:
    assert table(SECTIONS, 34) == (
        "One\n  /a          does what it is told\n              to do\n  /long NAME  x\n\nTwo\n  /b          is short\n"
    )


def test_in_a_pipe_lines_stay_whole() -> None:
    assert table(SECTIONS) == (
        "One\n  /a          does what it is told to do\n  /long NAME  x\n\nTwo\n  /b          is short\n"
    )
