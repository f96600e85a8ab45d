"""Checks of the whole project, whatever else the request mentions: no path in the question, none in the call.

Where a path is asked for, it is the one in the call. What is asked for is counted, and yes means what was asked.
"""

import re
from typing import NamedTuple

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program, user
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Voice, count, intent, listed, say
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.intents.paths import folder, module, refused, styled
from punie_cli.rows.project import Project


class Tool(NamedTuple):
    """A builtin that checks, as people and programs name it and what it finds."""

    name: str
    word: str
    call: str
    total: str
    items: str
    item: str
    thing: str


TY = Tool("ty", "type", "typecheck", "error_count", "errors", "error", "type error")
RUFF = Tool("ruff", "lint", "lint", "count", "findings", "finding", "lint finding")

_BEFORE = """
before I push: |before I merge {word}: |before the {word} release, |for the standup: |for the {word} release notes: |
I am writing the {word} tutorial. |{name} asks: |{name} wants to know: |just pulled {word}. |after the {word} rename: |
I upgraded {word}. |new to this {word} code, |working on the {word} branch. |quick one: |ticket {n}: |
no time to look myself: |{word} demo in {n} minutes, |I touched the {word} part a lot. |CI was red for {word}. |
merged {n} branches today. |while I get coffee: |the {word} report needs this: |for my notes on {word}: |
we drop {word} tomorrow. |preparing the {word} workshop, |{name} says we broke something. |
rebased onto {word}: |on branch {word}, |in the {word} sprint we said: |for version {n}.2: |the {word} job fails, |
since the move to {word}: |I renamed a few {word} things, |reviewing {name}'s change: |for the {word} milestone, |
{word} is done I think. |back from {word}, |after lunch with {name}: |in case {word} broke it: |I am new here. |
the {word} branch is ready, |for the {word} checklist: |pairing with {name}, |as in the {word} plan: |hi, |
"""
_AFTER = """
, {name} is waiting| before I tag {word}|, I need it for the {word} report|, ticket {n} depends on it|
 (for the {word} page)|. it is for {name}| so that I can close ticket {n}|, then I go on with {word}| for {name}|
, the {word} people asked| as of today| after all these changes
"""


def reason(rng: Voice, message: Message, share: float = 0.45) -> Message:
    """The question with why it is asked, in front of it or behind: its words are no paths."""
    roll = rng.random()
    if roll >= share:
        return message
    text, slots = message.text, {"word": names.word(rng), "name": names.word(rng).capitalize(), "n": rng.randint(3, 90)}
    if roll < share * 0.65:
        first = rng.choice([form.strip("\n") for form in _BEFORE.strip().split("|")]).format(**slots)
        if not first:
            return message
        return user(first + (text[:1].lower() + text[1:] if text[1:2].islower() else text))
    mark = "?" if text.endswith("?") else ""
    last = rng.choice([form.strip("\n") for form in _AFTER.strip("\n").split("|")]).format(**slots)
    return user(text.rstrip("?.") + last + (mark if "." not in last else ""))


def spot(rng: Voice, path: str) -> str:
    """Where, as it follows a question: a path, or nothing or words for all that there is."""
    if path:
        return rng.choice([" in {}", " in {}", " in {}", " of {}", " for {}", ", {}", ": {}"]).format(path)
    return rng.choice(
        ["", "", "", "", " here", " in the project", " overall", " anywhere", " in this repo", " in total"]
    )


def about(rng: Voice, forms: str, path: str = "", share: float = 0.45, **slots: object) -> Message:
    """A question whose forms have `{at}` for the place; now and then a path stands in front instead."""
    if path and rng.random() < 0.2:
        text = terse(rng, forms, at="", **slots).text
        return user(f"{path}{rng.choice([': ', ', ', ' - '])}{text[:1].lower() + text[1:]}")
    return reason(rng, terse(rng, forms, at=spot(rng, path), **slots), share if not path else share / 3)


_LEAD = (
    "", "", "", "", "ok, ", "good, ", "thanks. ", "thanks, ", "hm, ", "right, ", "alright, ", "fine, ", "I see. ",
    "aha. ", "great, ", "not bad. ", "cool, ", "noted. ", "got it. ", "hm ok. ", "oh. ", "so, ",
)  # fmt: skip
_TRAIL = ("", "", "", "", " please", " then", " now", " for me", " if you can", ", thanks")


def follow(rng: Voice, forms: str, **slots: object) -> Message:
    """A question that follows an answer: short, after a word about that answer."""
    text = say(rng, forms, **slots)
    mark = "?" if text.endswith("?") or rng.random() < 0.3 else ""
    trail = "" if "please" in text or text.endswith("?") else rng.choice(_TRAIL)
    lead = rng.choice(_LEAD)
    if lead.endswith(" ") and text.startswith("ok, "):
        lead = ""
    text = lead + text.rstrip("?") + trail + mark
    return user(upper(text) if rng.random() < 0.3 else text)


def called(tool: str, path: str) -> str:
    """The call as a program writes it."""
    return f'{tool}("{path}")' if path else f"{tool}()"


def inside(path: str) -> str:
    """` in PATH`, or nothing for the whole project."""
    return f" in {path}" if path else ""


def upper(text: str) -> str:
    """The text as a sentence begins; the rest of it as it is."""
    return text[:1].upper() + text[1:]


def an(kind: str) -> str:
    """`an IndexError`, `a ValueError`."""
    return f"{'an' if kind[0] in 'AEIO' else 'a'} {kind}"


def has(path: str) -> str:
    """Who has what was found."""
    return f"{path} has" if path else "The project has"


def spoken(project: Project, rng: Voice, tool: Tool, whole: float = 0.6) -> str:
    """No path, or one of what the tool checks."""
    if rng.random() < whole:
        return ""
    return folder(project, rng) if rng.random() < 0.4 else (module if tool is TY else styled)(project, rng)


@intent("whole", 3.5)
def whole_check(project: Project, rng: Voice) -> Script:
    """Everything that one tool says about everything."""
    kind = rng.choice(["typecheck", "typecheck", "lint", "lint", "test"])
    forms = {
        "typecheck": """
            type check{at}
            check the types{at}
            check all the typing{at}
            run ty{at}
            run the type checker{at}
            let ty go over everything
            give me a full type report{at}
            what does the type checker complain about{at}
            which typing problems do we have{at}
            look through the whole code for type mistakes
            do the typing pass over the project
            list whatever ty reports{at}
            all type trouble{at}, please list it
            show me what is badly typed{at}
            I want to see every typing problem{at}
            have the types looked over{at}
            are the types of this thing in order? show what is not
            typecheck, all of it
            could ty have a look at the complete code base
        """,
        "lint": """
            lint
            lint{at}
            run the linter{at}
            run ruff{at}
            let ruff go over everything
            style check{at}
            check the code style{at}
            give me the full lint report{at}
            what does the linter complain about{at}
            which lint problems do we have{at}
            list whatever ruff reports{at}
            all lint trouble{at}, please list it
            look over the whole code for style mistakes
            show me what ruff does not like{at}
            I want to see every lint warning{at}
            have ruff look the code over
            lint the lot
            do the lint pass, change nothing
            could the linter have a look at the complete code base
        """,
        "test": """
            test
            tests
            run the tests
            run all (the|) tests
            run pytest
            run the test suite
            pytest, everything
            let the whole suite run
            start the tests and show the result
            give me the full test report
            test the project
            test the lot
            what do the tests say
            what comes out of the test suite
            do a complete test run
            have all the tests run once
            how does the suite end
            could you put the code through its tests
            I want to see a test run
        """,
    }[kind]
    yield about(rng, forms, share=0.7)
    result = yield program(f"print({kind}())")
    if refused(result):
        yield answer("Running the tests was refused.")
    elif kind == "test":
        yield answer(f"The tests ran:\n\n{OUTPUT_LINE}")
    elif result.text.startswith("no "):
        yield answer(f"No {'type errors' if kind == 'typecheck' else 'lint findings'} in the project.")
    else:
        yield answer(f"{'Type errors' if kind == 'typecheck' else 'Lint findings'} in the project:\n\n{OUTPUT_LINE}")


@intent("whole", 3)
def whole_any(project: Project, rng: Voice) -> Script:
    """Is there anything wrong: yes means that there is."""
    tool = rng.choice([TY, RUFF])
    path = spoken(project, rng, tool, 0.5)
    yield about(
        rng,
        """
        are there any {thing}s{at}
        are there {thing}s{at}
        are there (still|maybe) {thing}s{at}
        is there any {thing}{at}
        is there a single {thing}{at}
        is there anything that {name} rejects{at}
        is there something for {name} to complain about{at}
        do we have {thing}s{at}
        do you find any {thing}s{at}
        does {name} find anything{at}
        does {name} complain{at}
        does {name} have something to say{at}
        did we leave {thing}s{at}
        can you see {thing}s{at}
        (yes or no|yes/no): any {thing}s{at}
        yes or no: does {name} report something{at}
        I want a yes or a no, are there {thing}s{at}
        anything wrong{at}, going by {name}
        tell me whether there are {thing}s{at}
        check if there are {thing}s{at}
        """,
        path,
        thing=tool.thing,
        name=tool.name,
    )
    result = yield program(f"print({called(tool.call, path)})")
    number = re.match(r"(\d+) ", result.text)
    if number:
        yield answer(f"Yes, {has(path).replace('The', 'the')} {count(int(number[1]), tool.thing)}:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"No, {has(path).replace('The', 'the')} no {tool.thing}s.")


@intent("whole", 2)
def whole_clean(project: Project, rng: Voice) -> Script:
    """Is everything right: yes means that it is."""
    tool = rng.choice([TY, RUFF])
    path = spoken(project, rng, tool, 0.5)
    yield about(
        rng,
        """
        is it free of {thing}s{at}
        is {what} free of {thing}s
        is {what} without a single {thing}
        is {what} ok as far as {name} goes
        is {what} in order for {name}
        is {what} good enough for {name}
        does {what} come through {name} unharmed
        does {what} satisfy {name}
        does {name} have nothing against {what}
        does {name} let {what} through
        would {name} wave {what} through
        can I call {what} {word} clean
        can I say that {what} has no {thing}s
        {what} has no {thing}s, right
        {what} is {word} clean, isn't it
        (yes or no|yes/no): {what} passes {name}
        tell me whether {what} passes the {word} check
        find out if {name} accepts {what}
        zero {thing}s{at}, true or false
        {name} is content with {what}, or not
        """,
        path,
        thing=tool.thing,
        name=tool.name,
        word=tool.word,
        what=path or rng.choice(["it all", "the project", "everything", "the code", "this repo", "the code base"]),
    )
    result = yield program(f"result = {called(tool.call, path)}\nprint(result.success, result.{tool.total})")
    success, number = result.text.split()
    name = path or "the project"
    yield answer(f"{'Yes' if success == 'True' else 'No'}, {name} has {count(int(number), tool.thing)}.")


_FIGURES = (
    ("type errors", "typecheck().error_count", ("type errors", "ty errors", "typing errors", "what ty finds")),
    ("files with type errors", "len(typecheck().files)", ("files with type errors", "files that fail ty")),
    ("lint findings", "lint().count", ("lint findings", "ruff findings", "lint problems", "what ruff finds")),
    ("fixable lint findings", "lint().fixable", ("fixable lint findings", "findings ruff can fix by itself")),
    ("passing tests", "test().passed", ("passing tests", "tests that pass", "green tests", "tests passed")),
    ("failing tests", "test().failed", ("failing tests", "tests that fail", "red tests", "tests failed")),
    ("skipped tests", "test().skipped", ("skipped tests", "tests that are skipped")),
)


@intent("whole", 4)
def whole_figures(project: Project, rng: Voice) -> Script:
    """Two, three or four figures of several checks, in the order asked, by one program that names each."""
    chosen = rng.sample(_FIGURES, rng.choice([2, 3, 3, 3, 4]))
    words = [rng.choice(said) for _, _, said in chosen]
    numeral = {2: "two", 3: "three", 4: "four"}[len(chosen)]
    yield about(
        rng,
        """
        {few} numbers: {list}
        {few} numbers please: {list}
        {few} figures{at}: {list}
        give me {few} numbers, {list}
        I need {few} counts: {list}
        how many of each: {list}
        how many {and}
        count {and}
        count these{at}: {list}
        numbers only: {list}
        status in numbers: {list}
        project health: {list}
        health check{at}, I need {and}
        tell me the number of {and}
        what are the counts of {and}
        report {and}, as counts
        summary line with {and}, as numbers
        run the checks and give me the numbers of {and}
        a quick overview in {few} numbers ({list})
        the tally{at}: {list}
        print {few} values, namely {list}
        for the dashboard I need {few} values: {list}
        how do we stand{at}: {list}
        """,
        few=numeral,
        list=", ".join(words),
        **{"and": listed(words)},
    )
    # What comes first is printed even where the tests are refused.
    result = yield program("\n".join(f'print("{label}:", {code})' for label, code, _ in chosen))
    told = dict(line.rsplit(": ", 1) for line in result.text.splitlines() if re.search(r": \d+$", line))
    parts = [f"{label}: {told[label]}" for label, _, _ in chosen if label in told]
    if not refused(result):
        yield answer(f"{upper(', '.join(parts))}.")
    elif parts:
        yield answer(f"{upper(', '.join(parts))}. Running the tests was refused, so I do not know the rest.")
    else:
        yield answer("Running the tests was refused, so I have no numbers.")
