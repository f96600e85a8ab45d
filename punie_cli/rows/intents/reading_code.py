"""Constants, signatures and names in modules, asked for in many ways."""

import re

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, listed
from punie_cli.rows.project import Project


@intent("reading", 1.6)
def constant_of_module(project: Project, rng: Voice) -> Script:
    found = [
        (path, name)
        for path in project.modules
        for name in re.findall(r"^([A-Z][A-Z_]+)\b.* = ", project.files[path], re.MULTILINE)
    ]
    if not found:
        raise Unsuitable
    path, name = rng.choice(found)
    if rng.random() < 0.1:
        name = f"MIN_{names.word(rng).upper()}"
    yield ask(
        rng,
        """
        {name} in {path}?
        {path} {name}
        {path}: {name} = ?
        value of {name} in {path}
        what is {name} in {path}
        what value does {name} have in {path}
        how (large|high) is {name} in {path}
        to what is {name} set in {path}
        the constant {name} of {path}, its value please
        look up the constant {name} in {path}
        I need to know {name} from {path}
        {path} defines {name}. what is it
        which number is {name} in {path}
        could you tell me what {name} is in {path}
        before I raise {name} in {path}: what is it now
        find {name} in {path} and tell me its value
        is {name} in {path} still the old value? what is it
        """,
        path=path,
        name=name,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.startswith("{name}"):\n        print(line)'
    )
    lines = result.text.strip().splitlines()
    if len(lines) > 1:
        raise Unsuitable
    if not lines:
        yield answer(f"There is no {name} in {path}.")
    else:
        yield answer(f"{name} in {path} is {lines[0].partition(' = ')[2]}.")


@intent("reading", 1.6)
def signature_of_function(project: Project, rng: Voice) -> Script:
    found = [
        (path, name)
        for path in project.modules
        for name in re.findall(r"^def (\w+)\(", project.files[path], re.MULTILINE)
    ]
    if not found:
        raise Unsuitable
    path, name = rng.choice(found)
    yield ask(
        rng,
        """
        {name} signature, {path}
        signature of {name} in {path}
        {path}: what does {name} take
        how do I call {name} from {path}
        which arguments does {name} in {path} take
        what parameters has {name} in {path}
        what does {name} in {path} return
        what is the return type of {name} in {path}
        the def line of {name} in {path}
        show me only the signature of {name}, file {path}
        what do I have to pass to {name} of {path}
        arguments and return type of {name} in {path} please
        I want to call {name} from {path}, what does it expect
        can you tell me the parameters of {name} in {path}
        how is {name} in {path} declared
        does {name} in {path} take arguments, and which
        look up what {name} of {path} takes and returns
        """,
        path=path,
        name=name,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.strip().startswith("def {name}("):\n'
        "        print(line.strip())"
    )
    if result.text.count("\n") != 1:
        raise Unsuitable
    yield answer(f"In {path}: `{result.text.strip().removesuffix(':')}`")


@intent("reading", 1.4)
def methods_of_class(project: Project, rng: Voice) -> Script:
    found = [
        (path, name)
        for path in project.modules
        for name in re.findall(r"^class (\w+):\n    \"\"\"", project.files[path], re.MULTILINE)
    ]
    if not found:
        raise Unsuitable
    path, group = rng.choice(found)
    yield ask(
        rng,
        """
        methods of {group} in {path}
        {path} {group} methods?
        {path}: methods of {group}
        which methods does {group} in {path} have
        what methods are in the class {group} of {path}
        what can {group} in {path} do, list its methods
        list the methods of class {group}, {path}
        (name|print|show) all methods of {group} from {path}
        I need the method names of {group} in {path}
        how is {group} in {path} used? which methods are there
        overview of the class {group} in {path}: its methods
        could you list what {group} defines in {path}
        before I add one: the methods of {group} in {path}
        the class {group} in {path}, only its method names
        does {group} in {path} have methods, and which
        which defs are inside {group}, see {path}
        """,
        path=path,
        group=group,
    )
    result = yield program(
        f'import re\ntext = read_file("{path}").split("class {group}")[1].split("\\nclass ")[0]\n'
        r'for name in re.findall(r"^    (?:async )?def (\w+)", text, re.M):' + "\n    print(name)"
    )
    yield answer(f"{group} has the methods {listed(result.text.split())}.")


@intent("reading", 1.6)
def names_in_module(project: Project, rng: Voice) -> Script:
    word, kind = rng.choice([("def", "functions"), ("def", "functions"), ("class", "classes")])
    path = rng.choice([p for p in project.modules if project.files[p]])
    yield ask(
        rng,
        """
        {kind} {path}
        {path} {kind}
        {path}: which {kind}?
        what {kind} do we have in {path}
        which {kind} live in {path}
        (name|tell me|list) the {kind} that {path} defines
        are there {kind} in {path}, and which
        the names of all {kind} in {path}
        I need a list of the {kind} in {path}
        what can I import from {path}? {kind} only
        could you list the {kind} of {path}
        open {path} and name its {kind}
        does {path} define {kind}, and which ones
        I forgot which {kind} are in {path}
        for the docs: the {kind} of {path}
        go through {path} and write down its {kind}
        just the {kind} in {path}, no bodies
        """,
        path=path,
        kind=kind,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.startswith("{word} "):\n        print(line)'
    )
    found = re.findall(rf"^{word} (\w+)", result.text, re.MULTILINE)
    yield answer(f"{path} defines {listed(found)}." if found else f"{path} has no {kind}.")
