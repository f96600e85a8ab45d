"""Type checks as developers ask for them in few words: a tool and a path, a command, something said in passing.

Who asks for a check gets a check: nothing here reads or mends what was found.
"""

import re

from punie_cli.agent.messages import Message, answer, program, user
from punie_cli.rows.intents import Forms, Script, Voice, ask, count, intent, listed
from punie_cli.rows.intents.checks import findings
from punie_cli.rows.intents.paths import folder, module
from punie_cli.rows.project import Project

TYPES = Forms(
    "asked-types",
    """
    ty {path}
    ty (on|for|over) {path}
    ty check {path}
    types {path}
    typecheck {path}
    typecheck (dir|folder|path|just|only) {path}
    typechek {path}
    tyepcheck {path}
    {path} types
    {path}: types
    {path} typecheck
    {path}, ty says?
    {path} (through|past) ty
    check types in {path}
    check the typing of {path}
    (any|some) typing (issues|trouble|errors) in {path}
    any type (errrors|erors|eror) in {path}
    type errors in {path}
    (show|list) {path} type errors
    (quick|fresh|new) type check of {path}
    just touched {path}. do the types still hold
    before I push: type check {path}
    need a type check on {path}, don't change anything
    only check {path} with ty, no fixes
    could you (quickly|) run ty against {path}
    (mind|would you mind) typechecking {path}
    I renamed some stuff in {path}, run the type checker there
    refactored {path} yesterday. what does ty make of it
    point ty at {path} and tell me what comes back
    let me see the full type check output for {path}
    """,
)
TYPES_ALL = Forms(
    "asked-types-everywhere",
    """
    ty
    ty says?
    ty (please|now|again)
    ty check
    run ty
    typecheck
    typecheck (it|again|all of it|the lot|the repo)
    types?
    check types
    check the types
    check all types
    any type errors
    any type errors (left|anywhere|now)
    type errors?
    all type errors
    full type check
    show type errors
    type check, whole repo
    whole project through ty
    what does ty say
    every type error we have
    typechek everything
    run a full type check, don't touch anything
    before I commit: a type check of the whole thing
    I moved things around. run ty over all of it
    what would ty print for this repo
    could you run the type checker once over everything
    """,
)
TYPES_OK = Forms(
    "asked-types-ok",
    """
    {path} (type|ty) clean
    {path} ok for ty
    {path} types ok
    ty clean: {path}
    is {path} type-safe
    is {path} clean for ty
    is {path} ty clean
    ty happy with {path}
    ty ok with {path}
    does ty accept {path}
    does ty pass on {path}
    do the types in {path} check out
    are {path} types fine
    types clean in {path}
    types good in {path}
    (yes or no|yes/no): {path} type clean
    will ty let {path} pass
    about to merge {path}: is it clean for the type checker
    I need a yes or no, does {path} type check
    pushing {path} in a minute, is ty fine with it
    """,
)
TYPE_COUNT = Forms(
    "asked-type-count",
    """
    type error count {path}
    error count {path}
    {path} error count
    {path}: how many type errors
    {path} type errors, how many
    count type errors {path}
    count {path} type errors
    how many type errors in {path}
    how many type errors {path}
    how many ty errors in {path}
    how many errors has {path}
    ty error count for {path}
    ty count {path}
    # type errors {path}
    num type errors in {path}
    number only: type errors in {path}
    total of type errors in {path}
    how many complaints from ty in {path}
    how much is wrong in {path} according to ty, as a number
    for the ticket: the number of type errors in {path}
    I fixed some types in {path}. how many errors are left
    """,
)


def terse(rng: Voice, forms: str | Forms, **slots: object) -> Message:
    """A question as `ask` puts it, but nothing follows a question mark, and a folder's name in front keeps its case."""
    text = re.sub(r"\?(,? (please|thanks))?\.?$", "?", ask(rng, forms, **slots).text)
    path = str(slots.get("path", "?"))
    return user(path + text[len(path) :] if text.lower().startswith(path.lower()) else text)


def place(project: Project, rng: Voice, file: str) -> str:
    """The file, or a folder: the package, one above or below it, or that of tests or a script; often with a slash."""
    if rng.random() < 0.5:
        return file
    folders = {path.rpartition("/")[0] for path in project.files if path.endswith(".py")}
    # A folder above the package has files only further down.
    folders |= {outer for path in folders if (outer := path.rpartition("/")[0])}
    chosen = project.package if rng.random() < 0.6 else rng.choice(sorted(folders - {""}))
    return chosen + rng.choice(["", "/"])


@intent("asking", 4)
def asked_types(project: Project, rng: Voice) -> Script:
    path = place(project, rng, module(project, rng))
    yield terse(rng, TYPES, path=path)
    result = yield program(f'print(typecheck("{path}"))')
    yield answer(findings(result, path))


@intent("asking", 2)
def asked_types_everywhere(project: Project, rng: Voice) -> Script:
    yield terse(
        rng,
        TYPES_ALL,
    )
    result = yield program("print(typecheck())")
    yield answer(findings(result, "."))


@intent("asking", 2)
def asked_types_ok(project: Project, rng: Voice) -> Script:
    path = place(project, rng, module(project, rng))
    yield terse(
        rng,
        TYPES_OK,
        path=path,
    )
    result = yield program(f'result = typecheck("{path}")\nprint(result.success, result.error_count)')
    success, number = result.text.split()
    if success == "True":
        yield answer(f"Yes, {path} has no type errors.")
    else:
        yield answer(f"No, {path} has {count(int(number), 'type error')}.")


@intent("asking", 2)
def asked_type_count(project: Project, rng: Voice) -> Script:
    path = place(project, rng, module(project, rng))
    yield terse(
        rng,
        TYPE_COUNT,
        path=path,
    )
    result = yield program(f'print(typecheck("{path}").error_count)')
    yield answer(f"{path} has {count(int(result.text), 'type error')}.")


@intent("asking", 1.5)
def asked_type_lines(project: Project, rng: Voice) -> Script:
    path = module(project, rng)
    yield terse(
        rng,
        """
        type error lines {path}
        {path} error lines
        {path}: lines with type errors
        {path} bad lines, per ty
        ty lines {path}
        lines with type errors: {path}
        lines ty rejects in {path}
        which lines in {path} fail ty
        what lines of {path} does ty flag
        where does {path} fail ty
        where does ty complain in {path}
        line numbers of {path} type errors
        just the line numbers, type errors in {path}
        only lines: type errors of {path}
        at which lines is {path} badly typed
        I have {path} open, which lines does ty not like
        so I can jump there: line numbers of the type errors in {path}
        """,
        path=path,
    )
    result = yield program(f'for error in typecheck("{path}").errors:\n    print(error.line)')
    lines = list(dict.fromkeys(result.text.split()))
    if not lines:
        yield answer(f"There are no type errors in {path}.")
    elif len(lines) == 1:
        yield answer(f"{path} has type errors on line {lines[0]}.")
    else:
        yield answer(f"{path} has type errors on lines {listed(lines)}.")


@intent("asking", 1.5)
def asked_type_files(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    yield terse(
        rng,
        """
        bad files in {path}, per ty
        files ty rejects in {path}
        files with type errors: {path}
        type error files {path}
        {path}: files with type errors
        {path} files that fail ty
        which {path} files fail ty
        which files in {path} fail ty
        what files does ty flag in {path}
        where in {path} does ty fail, files only
        only file names: type errors in {path}
        modules of {path} with type errors
        ty {path}, files only
        ty on {path}, just name the files
        name the files under {path} that are not type clean
        I only need to know which files below {path} have type trouble
        split the work: which files of {path} still have type errors
        """,
        path=path,
    )
    result = yield program(f'for file in typecheck("{path}").files:\n    print(file)')
    files = result.text.split()
    if not files:
        yield answer(f"No file in {path} has type errors.")
    elif len(files) == 1:
        yield answer(f"One file in {path} has type errors: {files[0]}.")
    else:
        yield answer(f"{len(files)} files in {path} have type errors: {listed(files)}.")
