"""Modules that are named as an import names them, or without their folder or suffix; parts of one whole result."""

from pathlib import PurePosixPath

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, rarely
from punie_cli.rows.intents.asking import terse
from punie_cli.rows.intents.paths import meant, module, refused, styled, suggested
from punie_cli.rows.intents.wholes import RUFF, TY, about, reason
from punie_cli.rows.intents.wholes_follow import told
from punie_cli.rows.project import Project

_CHECK = """
    {check} {what}
    {check} {what} please
    {check} only {what}
    {check} just {what}
    please {check} {what}
    run {name} on {what}
    run {name} over {what} for me
    {name} for {what}
    {what}: {name}
    {thing}s in {what}
    {thing}s of {what}
    list {thing}s in {what}
    show the {thing}s of {what}
    what {thing}s does {what} have
    what does {name} say about {what}
    which {thing}s are in {what}
    I changed {what}, {check} it
    I am in {what}, show me its {thing}s
    would you {check} {what}
    look at {what} with {name}
"""


@intent("whole", 3)
def whole_dotted(project: Project, rng: Voice) -> Script:
    """A dotted name is a path: dots are slashes, and a module ends in .py."""
    tool = rng.choice([TY, RUFF])
    path = (module if tool is TY else styled)(project, rng)
    if path.endswith("__init__.py"):
        raise Unsuitable
    dotted = path.removesuffix(".py").replace("/", ".")
    what = rng.choice(["{}", "{}", "`{}`", "the module {}", "the {} module", "module {}"]).format(dotted)
    check = "typecheck" if tool is TY else rng.choice(["lint", "ruff"])
    number = rng.random() < 0.35
    forms = """
        how many {thing}s in {what}
        how many {thing}s does {what} have
        how many {thing}s has {what}
        count the {thing}s of {what}
        count {thing}s in {what}
        number of {thing}s in {what}
        {what}: number of {thing}s
        {thing} count of {what}
        {thing}s in {what}, how many
        tell me how many {thing}s {what} has
        by {name}, how many {thing}s are in {what}
        I need the number of {thing}s for {what}
    """
    yield reason(
        rng, terse(rng, forms if number else _CHECK, what=what, thing=tool.thing, name=tool.name, check=check), 0.15
    )
    if number:
        result = yield program(f'print({tool.call}("{path}").{tool.total})')
        yield answer(f"{path} has {count(int(result.text), tool.thing)}.")
        return
    result = yield program(f'print({tool.call}("{path}"))')
    yield told(tool, result, path)


@intent("whole", 3, alone=True)
def whole_stem(project: Project, rng: Voice) -> Script:
    """A module by its name alone: a search says where it is, unless there are several."""
    tool = rng.choice([TY, RUFF])
    path = (module if tool is TY else styled)(project, rng)
    stem = PurePosixPath(path).stem
    if stem == "__init__" or "/" not in path:
        raise Unsuitable
    said = rng.choice(["the {} module", "the module {}", "{}.py", "module {}", "the file {}", "our {} module"])
    check = "typecheck" if tool is TY else "lint"
    what = said.format(stem)
    yield reason(rng, terse(rng, _CHECK, what=what, thing=tool.thing, name=tool.name, check=check), 0.1)
    result = yield program(f'print({tool.call}("{stem}.py"))')
    found = meant(result)
    several = suggested(result)
    if found is None and len(several) > 1:
        yield answer(f"There are several: {' and '.join(several)}. Which one do you mean?")
        return
    if found != path:
        raise Unsuitable
    result = yield program(f'print({tool.call}("{path}"))')
    yield told(tool, result, path)


@intent("whole", 2)
def whole_in_file(project: Project, rng: Voice) -> Script:
    """Of a check of everything, what is in one file or folder."""
    tool = rng.choice([TY, RUFF])
    path = (module if tool is TY else styled)(project, rng)
    yield about(
        rng,
        """
        check everything with {name}, then tell me only what is in {file}
        of all {thing}s, show those in {file}
        of all {thing}s in the project, which are in {file}
        of everything {name} reports, only {file}
        from the whole {name} result keep what is in {file}
        run {name} over the whole project but print only the lines about {file}
        run {name} on everything and filter by {file}
        all {thing}s, filtered to {file}
        whole project through {name}, list only {file}
        {name} over all of it; I only read what concerns {file}
        take the complete list of {thing}s and leave out all but {file}
        a full {name} run, of which I want the part for {file}
        do a complete {word} check and pick out {file}
        full {word} check, only the findings of {file} please
        out of the total {thing}s which ones are from {file}
        """,
        share=0.15,
        name=tool.name,
        thing=tool.thing,
        word=tool.word,
        file=path,
    )
    result = yield program(
        f"for {tool.item} in {tool.call}().{tool.items}:\n"
        f'    if {tool.item}.file == "{path}":\n        print({tool.item})'
    )
    number = len(result.text.splitlines())
    if not number:
        rarely(rng)
        yield answer(f"None of the {tool.thing}s is in {path}.")
    else:
        yield answer(f"{path} has {count(number, tool.thing)}:\n\n{OUTPUT_LINE}")


@intent("whole", 1.2)
def whole_notes(project: Project, rng: Voice) -> Script:
    """What a result says besides: its note, whether the tool ran at all."""
    call, name = rng.choice([("typecheck", "ty"), ("lint", "ruff"), ("test", "pytest"), ("test", "pytest")])
    field, what = rng.choice([("note", "note"), ("note", "remark"), ("tool_error", "tool error")])
    yield about(
        rng,
        """
        does the {name} result have a {what}
        is there a {what} in the {name} result
        any {what} from {name}
        any {what} with the {name} run
        run {name}, is there a {what}
        run {name} and print the {what}
        {what} of the {name} run
        {name} run: the {what} only
        the {what} that {name} gives
        what is the {what} of the {name} result
        show the {what} of a {name} run
        tell me the {what} of {name}, if there is one
        I look for a {what} in what {name} returns
        did {name} leave a {what}
        print nothing but the {what} of {name}
        """,
        name=name,
        what=what,
    )
    result = yield program(f"print({call}().{field})")
    if refused(result):
        yield answer(f"Running the tests was refused, so I do not know the {what}.")
    elif result.text.strip() == "None":
        yield answer(f"No, the {name} run has no {what}.")
    else:
        yield answer(f"The {what} of the {name} run: {result.text.strip()}.")
