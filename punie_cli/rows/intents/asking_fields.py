"""Parts of a type check in few words: one field of one error, errors of one code or line, codes, numbers by file."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, listed, rarely
from punie_cli.rows.intents.asking import place, terse
from punie_cli.rows.intents.paths import folder, module
from punie_cli.rows.project import Project

# Codes that ty has for faults of generated projects, the commonest more than once.
_CODES = (
    "invalid-explicit-return", "invalid-explicit-return", "invalid-explicit-return", "missing-attribute",
    "missing-attribute", "invalid-assignment", "invalid-assignment", "unsupported-operator", "unresolved-reference",
    "missing-argument", "unknown-argument", "invalid-argument-type",
)  # fmt: skip


@intent("asking", 2)
def asked_type_field(project: Project, rng: Voice) -> Script:
    """One field of the first or the last error."""
    field = rng.choice(["line", "column", "message", "code", "file"])
    path = folder(project, rng) if field == "file" else module(project, rng)
    which, index = rng.choice([("first", 0), ("first", 0), ("last", -1)])
    thing = rng.choice(["code", "error code", "rule"]) if field == "code" else field
    yield terse(
        rng,
        """
        {which} type error {thing} {path}
        {which} error {thing}, {path}
        {path} {which} error: {thing}
        {path}: {thing} of the {which} type error
        {path}, {which} ty error, {thing}
        {thing} of {which} ty error in {path}
        {thing} of {path}'s {which} type error
        {which} type error in {path}, {thing} only
        only the {thing}: {which} type error of {path}
        ty {path}, {which} error's {thing}
        typecheck {path}, give the {thing} of the {which} error
        what {thing} has the {which} type error in {path}
        which {thing} does ty give for its {which} error in {path}
        I just need the {thing} of the {which} thing ty reports for {path}
        run ty on {path} and read me the {thing} of the {which} error
        could you look up the {thing} of the {which} error in the type check of {path}
        """,
        path=path,
        thing=thing,
        which=which,
    )
    result = yield program(
        f'result = typecheck("{path}")\nif result.errors:\n    print(result.errors[{index}].{field})\n'
        'else:\n    print("no type errors")'
    )
    text = result.text.strip()
    if text == "no type errors":
        yield answer(f"There are no type errors in {path}.")
    elif field == "message":
        yield answer(f"The message of the {which} type error in {path}:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"The {thing} of the {which} type error in {path} is {text}.")


@intent("asking", 1.5)
def asked_type_end(project: Project, rng: Voice) -> Script:
    """The first or the last error as a whole."""
    path = place(project, rng, module(project, rng))
    which, index = rng.choice([("first", 0), ("first", 0), ("last", -1)])
    yield terse(
        rng,
        """
        {which} type error {path}
        {which} ty error in {path}
        {path} {which} error
        {path}: {which} type error
        ty {path}, {which} error only
        just the {which} type error, {path}
        {which} error of ty for {path}
        show {which} type error of {path}
        {which} one only: type errors in {path}
        where is the {which} ty error in {path}
        what is ty's {which} complaint about {path}
        what does ty report {which} in {path}
        typecheck {path} but print only the {which} error
        run ty on {path}, I want the {which} error and no more
        too many errors at once: give me the {which} type error in {path}
        """,
        path=path,
        which=which,
    )
    result = yield program(
        f'result = typecheck("{path}")\nif result.errors:\n    print(result.errors[{index}])\n'
        'else:\n    print("no type errors")'
    )
    if result.text.startswith("no type errors"):
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"The {which} type error in {path}:\n\n{OUTPUT_LINE}")


@intent("asking", 1.5)
def asked_type_code(project: Project, rng: Voice) -> Script:
    """Errors of one code, listed."""
    path = place(project, rng, module(project, rng))
    code = rng.choice(_CODES)
    yield terse(
        rng,
        """
        {code} {path}
        {code} in {path}
        {path} {code}
        {path}: {code} only
        any {code} in {path}
        all {code} in {path}
        ty {path}, {code} only
        {code} errors, {path}
        just {code}: {path}
        show {code} errors of {path}
        filter {path} type errors by {code}
        typecheck {path}, only {code} please
        does ty find {code} in {path}
        got {code} in CI. where is it in {path}
        from the type errors of {path} print those with code {code}
        leave out all type errors in {path} but {code}
        """,
        path=path,
        code=code,
    )
    result = yield program(
        f'for error in typecheck("{path}").errors:\n    if error.code == "{code}":\n        print(error)'
    )
    number = len(result.text.splitlines())
    if number:
        yield answer(f"{path} has {count(number, f'{code} error')}:\n\n{OUTPUT_LINE}")
    else:
        rarely(rng)
        yield answer(f"{path} has no {code} errors.")


@intent("asking", 1.5)
def asked_per_file(project: Project, rng: Voice) -> Script:
    path = folder(project, rng)
    yield terse(
        rng,
        """
        type errors per file {path}
        {path} errors per file
        {path}: type errors by file
        {path} type errors, file by file, numbers
        ty per file, {path}
        ty {path}, counts per file
        error counts by file for {path}
        how many type errors per file in {path}
        how many ty errors each file of {path} has
        type errors by module in {path}, counts
        per-file type error count of {path}
        break {path} type errors down by file
        typecheck {path} and group the count by file
        which file of {path} has how many type errors
        for planning: how do the type errors in {path} spread over the files
        could you list each bad file of {path} with its number of type errors
        """,
        path=path,
    )
    result = yield program(
        f'result = typecheck("{path}")\nfor file in result.files:\n'
        "    print(file, len([error for error in result.errors if error.file == file]))"
    )
    found = [line.split() for line in result.text.splitlines()]
    if not found:
        yield answer(f"There are no type errors in {path}.")
    else:
        yield answer(f"Type errors in {path}: {listed([f'{file} has {number}' for file, number in found])}.")


@intent("asking", 1.5)
def asked_type_codes(project: Project, rng: Voice) -> Script:
    path = place(project, rng, module(project, rng))
    yield terse(
        rng,
        """
        ty codes {path}
        ty codes for {path}
        {path} error codes
        {path}: ty codes
        {path}, codes only, from ty
        codes only: ty {path}
        just the codes, ty on {path}
        type error codes {path}
        type error codes in {path}
        error codes of {path}
        which ty rules fail in {path}
        which ty codes does {path} get
        what codes does ty give for {path}
        typecheck {path}, codes only
        distinct ty codes for {path}
        run ty on {path} and print nothing but the codes
        I want to look the rules up: which codes does ty report for {path}
        """,
        path=path,
    )
    result = yield program(
        f'for code in sorted({{error.code for error in typecheck("{path}").errors}}):\n    print(code)'
    )
    codes = result.text.split()
    yield answer(f"ty reports {listed(codes)} in {path}." if codes else f"There are no type errors in {path}.")


@intent("asking", 1.5)
def asked_type_at_line(project: Project, rng: Voice) -> Script:
    faults = rng.sample(project.faults, 1) if project.faults and rng.random() < 0.8 else []
    path = faults[0].file if faults else rng.choice(project.modules)
    text = project.files[path]
    # Of two faults at one place the second may have changed what the first one wrote.
    if not text or (faults and faults[0].wrong not in text):
        raise Unsuitable
    # The line of a fault that is several lines long is not always where ty reports it: then there is nothing.
    number = text[: text.index(faults[0].wrong)].count("\n") + 1 if faults else rng.randint(1, text.count("\n"))
    yield terse(
        rng,
        """
        {path} line {n}, type error?
        {path}:{n} type error
        {path}:{n}, what does ty say
        {path} {n}: ty?
        line {n} of {path}, ty?
        line {n} in {path}: types ok
        type errors on line {n}, {path}
        type error at {path}:{n}
        any type error at {path}:{n}
        any type error in {path} on line {n}
        what does ty report at {path}:{n}
        what is wrong at line {n} of {path}, type-wise
        ty {path}, line {n} only
        is line {n} of {path} one that ty rejects
        only line {n}: type errors of {path}
        typecheck {path} and show what it says for line {n}
        my editor marks line {n} in {path}, what is the type error there
        """,
        path=path,
        n=number,
    )
    result = yield program(
        f'for error in typecheck("{path}").errors:\n    if error.line == {number}:\n        print(error.message)'
    )
    if not result.text.strip():
        rarely(rng)
        yield answer(f"ty reports nothing on line {number} of {path}.")
    else:
        yield answer(f"On line {number} of {path} ty reports:\n\n{OUTPUT_LINE}")
