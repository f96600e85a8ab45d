"""Check, read, fix, verify in three programs, as in phase 23; `mends` has the later form."""

from collections.abc import Generator

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.modules import Fault
from punie_cli.rows.project import Project

# A file is read before it is mended: a long one would fill the context.
_LINES = 23


def _single(project: Project, faults: list[Fault], rng: Voice) -> Fault:
    """A fault that is the only one of its file and whose text stands there once."""
    every = [*project.faults, *project.style, *project.bugs]
    fitting = [
        f
        for f in faults
        if sum(other.file == f.file for other in every) == 1
        and project.files[f.file].count("\n") < _LINES
        and project.files[f.file].count(_short(f)[0]) == 1
    ]
    if not fitting:
        raise Unsuitable
    return rng.choice(fitting)


def _short(fault: Fault) -> tuple[str, str]:
    """Wrong and right text as a program replaces them: without the indent, with the line end of a line that goes."""
    if not fault.right:
        return fault.wrong, ""
    return fault.wrong.strip(), fault.right.strip()


def _mend(fault: Fault, check: str) -> Generator[Message, Message, Message]:
    """Read the file, replace the wrong text, check again."""
    wrong, right = _short(fault)
    yield program(f'print(read_file("{fault.file}"))')
    result = yield program(
        f'text = read_file("{fault.file}").replace({quoted(wrong)}, {quoted(right)})\n'
        f'write_file("{fault.file}", text)\n'
        f"print({check})"
    )
    return result


def _done(fault: Fault, clean: str) -> str:
    wrong, right = (text.strip() for text in _short(fault))
    what = f"it now has `{right}`" if right else f"`{wrong}` is gone"
    return f"Fixed {fault.file}: {what}. {clean}"


@intent("typecheck-fix", 2.4, alone=True)
def fix_types(project: Project, rng: Voice) -> Script:
    fault = _single(project, project.faults, rng)
    path = fault.file
    yield ask(
        rng,
        """
        (fix|repair|correct|solve) the type (error|problem) in {path}
        (check|typecheck) {path} and fix (the error|what you find|the type error)
        make {path} (type check|pass ty|pass the type check)
        {path} has a type error, (fix it|please fix it|can you fix it)
        find and fix the type error in {path}
        ty complains about {path}, mend it
        get the types of {path} right
        """,
        path=path,
    )
    result = yield program(f'print(typecheck("{path}"))')
    if not result.text.startswith("1 error"):
        raise Unsuitable
    result = yield from _mend(fault, f'typecheck("{path}")')
    if refused(result):
        yield answer(f"The change to {path} was refused, so the type error is still there.")
    elif result.text.startswith("no type errors"):
        yield answer(_done(fault, "It has no type errors any more."))
    else:
        raise Unsuitable
