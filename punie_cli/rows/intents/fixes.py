"""Check, read, fix, verify: the flow that is worth most."""

import json
from random import Random

from punie_cli.agent.messages import answer, program, user
from punie_cli.rows.intents import Script, Unsuitable, ask, intent
from punie_cli.rows.projects import Project


@intent("fix")
def fix_file(project: Project, rng: Random) -> Script:
    single = [p for p in project.faulty() if sum(f.file == p for f in project.faults) == 1]
    single = [p for p in single if project.files[p].count("\n") < 24]
    if not single:
        raise Unsuitable
    path = rng.choice(single)
    fault = next(f for f in project.faults if f.file == path)
    wrong, right = fault.wrong.strip(), fault.right.strip()
    if project.files[path].count(wrong) != 1:
        raise Unsuitable
    yield user(
        ask(
            rng,
            """
            (fix|repair|correct|solve) the type (error|errors|problem) in {path}
            (check|typecheck) {path} and fix (the error|what you find|the type error)
            make {path} (type check|pass ty|pass the type check)
            {path} has a type error, (fix it|please fix it|can you fix it)
            find and fix the type error in {path}
            """,
            path=path,
        )
    )
    yield program(f'print(typecheck("{path}"))\nprint(read_file("{path}"))')
    result = yield program(
        f'text = read_file("{path}")\n'
        f"text = text.replace({_literal(wrong)}, {_literal(right)})\n"
        f'write_file("{path}", text)\n'
        f'print(typecheck("{path}"))'
    )
    if result.error:
        yield answer(f"The change to {path} was refused, so the type error is still there.")
    elif result.text.startswith("no type errors"):
        yield answer(f"Fixed {path}: `{wrong}` is now `{right}`. It has no type errors any more.")
    else:
        raise Unsuitable


def _literal(line: str) -> str:
    return f"'{line}'" if '"' in line and "'" not in line else json.dumps(line)
