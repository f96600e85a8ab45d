"""Questions in few words about all types or all lint of a project: whether clean, how many, which files."""

from punie_cli.agent.messages import answer, program
from punie_cli.rows.intents import Script, Voice, count, intent, listed
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.project import Project

# Tool, what people call it, the builtin, the field of its count, and what it finds.
_TOOLS = (("ty", "type", "typecheck", "error_count", "type error"), ("ruff", "lint", "lint", "count", "lint finding"))


@intent("asking", 2)
def asked_clean_everywhere(project: Project, rng: Voice) -> Script:
    tool, word, builtin, field, thing = rng.choice(_TOOLS)
    yield terse(
        rng,
        """
        {word} clean?
        {tool} clean?
        {tool} happy?
        {tool} ok?
        {tool} (passes|passing)?
        all clean for {tool}
        all good with {tool}
        is all {word} clean
        is the repo {word} clean
        is this project {tool} clean
        is {tool} happy
        is {tool} fine with everything
        does {tool} pass
        does everything pass {tool}
        does the whole thing pass {tool}
        are we {word} clean
        are we fine with {tool}
        (yes or no|yes/no): repo {word} clean
        will {tool} let this repo through
        pushing in a minute, does {tool} pass
        merge ready as far as {tool} goes?
        quick question, is the code base free of {thing}s
        """,
        tool=tool,
        word=word,
        thing=thing,
    )
    result = yield program(f"result = {builtin}()\nprint(result.success, result.{field})")
    success, number = result.text.split()
    yield answer(f"{'Yes' if success == 'True' else 'No'}, the project has {count(int(number), thing)}.")


@intent("asking", 2)
def asked_count_everywhere(project: Project, rng: Voice) -> Script:
    tool, _, builtin, field, thing = rng.choice(_TOOLS)
    yield terse(
        rng,
        """
        {thing} count
        {thing}s, how many
        how many {thing}s
        how many {thing}s (now|left|in total|overall)
        how many {thing}s are there
        how many {thing}s have we got
        count {thing}s
        count all {thing}s
        # of {thing}s
        num {thing}s
        number of {thing}s
        total {thing}s
        {tool} count
        {tool} total
        how many from {tool}
        how many complaints from {tool} all told
        number only: {thing}s
        for the standup: how many {thing}s do we have
        I fixed a few, how many {thing}s are left
        could you count the {thing}s in the whole repo
        """,
        tool=tool,
        thing=thing,
    )
    result = yield program(f"print({builtin}().{field})")
    yield answer(f"The project has {count(int(result.text), thing)}.")


@intent("asking", 1.5)
def asked_files_everywhere(project: Project, rng: Voice) -> Script:
    tool, word, builtin, _, thing = rng.choice(_TOOLS)
    yield terse(
        rng,
        """
        bad files, per {tool}
        which files fail {tool}
        which files fail {word} check
        what files does {tool} flag
        files with {thing}s
        files with {thing}s?
        list files with {thing}s
        {word} check, file names only
        {tool}, files only
        {tool}: just the file names
        files {tool} rejects
        files that fail {tool}
        where does {tool} fail, files only
        who has {thing}s, by file
        only the names of files with {thing}s
        split the work: which files still have {thing}s
        I only need to know which files have {thing}s
        """,
        tool=tool,
        word=word,
        thing=thing,
    )
    result = yield program(f"for file in {builtin}().files:\n    print(file)")
    files = result.text.split()
    if not files:
        yield answer(f"No file has {thing}s.")
    elif len(files) == 1:
        yield answer(f"One file has {thing}s: {files[0]}.")
    else:
        yield answer(f"{len(files)} files have {thing}s: {listed(files)}.")
