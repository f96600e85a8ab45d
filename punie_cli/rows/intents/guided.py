"""Type-informed work: look at the types that are there, write code that fits them, check it."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.pieces import Entity, value
from punie_cli.rows.project import Project


def _model(project: Project, rng: Voice) -> tuple[str, Entity]:
    path = rng.choice(sorted(project.entities))
    return path, project.entities[path]


def _new_module(project: Project, path: str, rng: Voice) -> str:
    new = f"{path.rpartition('/')[0]}/{names.module(rng)}.py"
    if new in project.files:
        raise Unsuitable
    return new


def _told(failed: bool, no: bool, path: str, done: str) -> str:
    if no:
        return f"Writing {path} was refused, so nothing was made."
    if failed:
        raise Unsuitable
    return done


@intent("flow typecheck-guided", 1.5, alone=True)
def write_total(project: Project, rng: Voice) -> Script:
    """The type of the field decides what the new function returns."""
    path, e = _model(project, rng)
    new = _new_module(project, path, rng)
    f = rng.choice(e.fields[1:3])
    yield ask(
        rng,
        """
        write {new} with a function that adds up the {field} of a list of {name} from {path}
        look at {name} in {path} and write a typed function for the total {field} in {new}
        I need total_{field} for {name} objects (see {path}) in {new}
        {new} should have a typed function total_{field} over a list of {name}, which is in {path}
        create {new}: sum the {field} of {name} objects, and get the types from {path}
        make a module {new} that sums {field} over {name} of {path}, then check its types
        """,
        path=path,
        new=new,
        name=e.name,
        field=f.name,
    )
    yield program(f'print(read_file("{path}"))')
    home = path.removesuffix(".py").replace("/", ".")
    text = (
        f"from {home} import {e.name}\n\n\ndef total_{f.name}(items: list[{e.name}]) -> {f.kind}:\n"
        f"    return sum(item.{f.name} for item in items)\n"
    )
    result = yield program(f'write_file("{new}", {quoted(text)})\nprint(typecheck("{new}"))')
    clean = result.text.startswith("no type errors")
    yield answer(_told(not clean, refused(result), new, f"Created {new} with total_{f.name}. It has no type errors."))


@intent("flow typecheck-guided", 1.3, alone=True)
def write_example(project: Project, rng: Voice) -> Script:
    """The fields decide what a call needs."""
    path, e = _model(project, rng)
    new = _new_module(project, path, rng)
    yield ask(
        rng,
        """
        write {new} that makes one {name} (see {path}) with example values
        create an example {name} in {new}; its fields are in {path}
        {new} should hold one sample {name} from {path}
        look up the fields of {name} in {path} and make one in {new}
        I want a {name} object with some values in {new}, the class is in {path}
        use the class {name} of {path} in {new}: one example, and check the types
        """,
        path=path,
        new=new,
        name=e.name,
    )
    yield program(f'print(read_file("{path}"))')
    home = path.removesuffix(".py").replace("/", ".")
    fields = ", ".join(f"{f.name}={value(f, rng)}" for f in e.fields)
    text = f"from {home} import {e.name}\n\nexample = {e.name}({fields})\n"
    result = yield program(f'write_file("{new}", {quoted(text)})\nprint(typecheck("{new}"))')
    clean = result.text.startswith("no type errors")
    yield answer(_told(not clean, refused(result), new, f"Created {new} with one {e.name}. It has no type errors."))


@intent("flow typecheck-guided", 1.2, alone=True)
def add_field(project: Project, rng: Voice) -> Script:
    """A field more may break what makes the class: the check of the package tells."""
    path, e = _model(project, rng)
    last = e.fields[-1]
    name, kind = rng.choice(
        [("notes", "str"), ("visible", "bool"), ("rating", "float"), ("parts", "int"), ("tags", "str")]
    )
    if name in [f.name for f in e.fields]:
        raise Unsuitable
    yield ask(
        rng,
        """
        add a field {name} of type {kind} to {cls} in {path} and (check|typecheck) the package
        {cls} in {path} needs a field {name}: {kind}; what breaks then
        give {cls} (see {path}) a {kind} field named {name}, then run the type check
        extend {cls} in {path} by {name}: {kind} and tell me which types do not fit any more
        put {name} ({kind}) into the class {cls} of {path} and look for type errors
        a new field {name}: {kind} for {cls} in {path}, please, and check the types afterwards
        """,
        path=path,
        cls=e.name,
        name=name,
        kind=kind,
    )
    yield program(f'print(read_file("{path}"))')
    line = f"    {last.name}: {last.kind}\n"
    result = yield program(
        f'text = read_file("{path}").replace({quoted(line)}, {quoted(line + f"    {name}: {kind}" + chr(10))})\n'
        f'write_file("{path}", text)\n'
        f'print(typecheck("{project.package}"))'
    )
    if refused(result):
        yield answer(_told(False, True, path, ""))
    elif result.text.startswith("no type errors"):
        yield answer(f"Added {name}: {kind} to {e.name}. There are no type errors in {project.package}.")
    else:
        yield answer(f"Added {name}: {kind} to {e.name}. Type errors in {project.package}:\n\n{OUTPUT_LINE}")


@intent("flow typecheck-guided", 1)
def field_type(project: Project, rng: Voice) -> Script:
    path, e = _model(project, rng)
    f = rng.choice(e.fields)
    yield ask(
        rng,
        """
        what type (has|is) the field {field} of {name} in {path}
        which type does {name}.{field} have, see {path}
        look up the type of {field} in {path}
        is {field} of {name} in {path} a str, an int or a float
        how is {field} annotated in {path}
        tell me the annotation of {field} in the class {name} of {path}
        """,
        path=path,
        name=e.name,
        field=f.name,
    )
    result = yield program(
        f'for line in read_file("{path}").splitlines():\n    if line.startswith("    {f.name}:"):\n        print(line)'
    )
    yield answer(f"{f.name} of {e.name} is {'an' if f.kind == 'int' else 'a'} {result.text.split()[-1]}.")
