"""Failures of one kind, and the file that has the most of something: a whole result, sifted."""

from collections import Counter

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, listed, rarely
from punie_cli.rows.intents.paths import folder, refused, tested
from punie_cli.rows.intents.wholes import RUFF, TY, about, an, called, inside
from punie_cli.rows.project import Project

_KINDS = ("ValueError", "ValueError", "KeyError", "IndexError", "ZeroDivisionError", "RuntimeError", "TypeError")


@intent("whole", 3)
def whole_kind(project: Project, rng: Voice) -> Script:
    """Failures that end with one exception: the message says which."""
    if not project.tests:
        raise Unsuitable
    there = [kind for kind in _KINDS if any(_marks(kind) in project.files[path] for path in project.tests)]
    kind = rng.choice(there) if there and rng.random() < 0.8 else rng.choice(_KINDS)
    path = "" if rng.random() < 0.7 else rng.choice(["tests", "tests/", tested(project, rng)])
    names_wanted = rng.random() < 0.4
    forms = """
        how many failures are {kind}s{at}
        how many of the failures are {kind}s{at}
        how many tests fail with {kind}{at}
        how many failing tests end in {kind}{at}
        how many tests die of {kind}{at}
        how many {kind}s does the test run give{at}
        how often does a test raise {kind}{at}
        number of failures with {kind}{at}
        count the {kind}s among the failures{at}
        count failing tests that raise {kind}{at}
        count the failures whose message says {kind}{at}
        {kind} failures{at}, how many
        {kind}s in the test run{at}: how many
        run the tests{at} and count the {kind}s
        of all red tests{at}, how many are {kind}s
        pytest{at}: I only want to know how many {kind}s
        what number of tests{at} crashes with {kind}
    """
    if names_wanted:
        forms = """
            which tests fail with {kind}{at}
            which tests raise {kind}{at}
            which of the failing tests are {kind}s{at}
            which tests die of {kind}{at}
            names of the tests that end in {kind}{at}
            names of all tests with {kind}{at}
            list the tests that fail with {kind}{at}
            list failing tests{at}, only those with {kind}
            tests{at} with {kind}, by name
            what tests run into {kind}{at}
            show the {kind} failures{at}, names only
            name the tests where {kind} comes up{at}
            run the tests{at}, then name those with {kind}
            who raises {kind} in the test run{at}
            give me the names of the {kind} tests{at}
            from the failures{at} take those that say {kind} and name them
        """
    yield about(rng, forms, path, kind=kind)
    call = called("test", path)
    if names_wanted:
        code = f'for failure in {call}.failures:\n    if "{kind}" in failure.message:\n        print(failure.test)'
    else:
        code = f'print(len([failure for failure in {call}.failures if "{kind}" in failure.message]))'
    result = yield program(code)
    if refused(result):
        yield answer(f"Running the tests{inside(path)} was refused, so I do not know about {kind}s.")
        return
    lines = result.text.split()
    if not lines or lines == ["0"]:
        rarely(rng)
        yield answer(f"No test{inside(path)} fails with {an(kind)}.")
    elif names_wanted:
        fail = "fails" if len(lines) == 1 else "fail"
        yield answer(f"{count(len(lines), 'test')}{inside(path)} {fail} with {an(kind)}: {listed(lines)}.")
    else:
        number = int(lines[0])
        yield answer(f"{count(number, 'test')}{inside(path)} {'fails' if number == 1 else 'fail'} with {an(kind)}.")


def _marks(kind: str) -> str:
    return {
        "ValueError": "int(text)", "KeyError": "known[", "IndexError": "rows[", "ZeroDivisionError": "/ len(",
        "RuntimeError": "RuntimeError", "TypeError": ")[0].",
    }[kind]  # fmt: skip


@intent("whole", 2)
def whole_most(project: Project, rng: Voice) -> Script:
    """The file with the most findings: names of the files are counted."""
    kind = rng.choice(["ty", "ty", "ruff", "ruff", "test"])
    tool = RUFF if kind == "ruff" else TY
    path = folder(project, rng) if kind != "test" and rng.random() < 0.3 else ""
    call, items, thing = called(tool.call, path), tool.items, tool.thing
    if kind == "test":
        call, items, thing = "test()", "failures", rng.choice(["failing test", "failure", "red test"])
    yield about(
        rng,
        """
        which file has the most {thing}s{at}
        which file has most of the {thing}s{at}
        which file is worst by {thing}s{at}
        which file leads in {thing}s{at}
        what file has the highest number of {thing}s{at}
        what is the worst file{at}, counting {thing}s
        where are the most {thing}s{at}
        where do {thing}s pile up{at}
        where is it worst{at}, by {thing}s
        the file with the most {thing}s{at}
        worst file by {thing}s{at}
        worst offender{at}, {thing}s
        file with the largest number of {thing}s{at}
        name the file with the most {thing}s{at}
        top file by {thing}s{at}, and how many it has
        which file should I start with, going by {thing}s{at}
        I clean up the worst file first: which one has the most {thing}s{at}
        """,
        path,
        thing=thing,
    )
    result = yield program(
        "from collections import Counter\n"
        f"files = Counter(item.file for item in {call}.{items})\n"
        "for file, number in files.most_common():\n    print(file, number)"
    )
    if refused(result):
        yield answer("Running the tests was refused, so I do not know which file has the most.")
        return
    found = Counter({line.split()[0]: int(line.split()[1]) for line in result.text.splitlines()})
    if not found:
        rarely(rng)
        yield answer(f"There are no {thing}s{inside(path)}.")
        return
    most = max(found.values())
    first = [file for file, number in found.items() if number == most]
    if len(first) == 1:
        yield answer(f"{first[0]} has the most {thing}s{inside(path)}: {most}.")
    elif len(first) > 4:
        yield answer(f"{len(first)} files have the most {thing}s{inside(path)}, {most} each:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"{listed(first)} have the most {thing}s{inside(path)}: {most} each.")
