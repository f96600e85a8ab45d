"""New modules and functions from a description in words: written, then type checked; nothing else is touched."""

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.described import Described, described
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, listed, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.project import Project


def _new_module(project: Project, rng: Voice) -> str:
    folder = rng.choice([project.package, project.package, project.package, "tools", "lib", names.word(rng)])
    path = f"{folder}/{names.module(rng)}.py" if rng.random() < 0.9 else f"{names.module(rng)}.py"
    if path in project.files:
        raise Unsuitable
    return path


def _signature(rng: Voice, function: Described) -> str:
    return rng.choice(["{}", "{}", "`{}`", "def {}", "`def {}`"]).format(function.signature)


def _written(path: str, code: str) -> Message:
    return program(f'write_file("{path}", {quoted(code)})\nprint(typecheck("{path}"))')


def _end(result: Message, path: str, done: str) -> Message:
    if refused(result):
        return answer(f"Writing {path} was refused, so nothing was made.")
    if not result.text.startswith("no type errors"):
        raise Unsuitable
    return answer(f"{done} It has no type errors.")


@intent("exact", 4)
def exact_module(project: Project, rng: Voice) -> Script:
    path, function = _new_module(project, rng), described(rng)
    yield ask(
        rng,
        """
        new module {path} with {sig}: {rule}. typecheck it
        {path}: {sig}, {rule}. then ty
        {path} with one function, {sig}. it {does}. (typecheck it|check the types)
        (create|write|add|make) {path} with a function {sig} that {does}, then typecheck (it|the file|the new file)
        (create|write|add|make) {path} holding {sig}: {rule}; run ty on it afterwards
        I need {sig} in a new file {path}. rule: {rule}. type check when done
        we need a small module {path}. {sig} {does}. ty has to accept it
        a new file {path}: {sig} {does}. no tests, just typecheck it
        implement {sig} in {path}, a new file. it {does}; typecheck
        implement {name} in the new module {path}: {sig}. {rule}. types must check
        could you write {path}? one function {sig}, it {does}, and it must pass ty
        start a module {path}: function {sig} = {rule}. check it with ty
        put {sig} into {path}, which does not exist yet. it {does}. check the new file's types
        the function {sig} belongs in {path}, to be created: {rule}. run the type checker on that file
        in a new {path} define {sig}; {rule}. make sure it is type clean
        for the billing people: {path}, {sig}, {rule}. typecheck
        write me {name}. file {path}, signature {sig}, it {does}. then check types
        add {path}. {sig} is all it has: {rule}. (does it type check|ty it)
        module {path}, function {sig}. what it does: it {does}. typecheck the file
        need a helper {sig} in {path}. {rule}. create the file and typecheck it
        {name} is missing. create {path} with {sig}, which {does}, and typecheck
        make {path} from this: {sig} - {rule} - then a type check of {path}
        lay down {path} with {sig} in it - {rule} - and typecheck that file only
        code {sig} in {path}: {rule}. afterwards ty {path}
        build {path}: {sig} {does}. verify the types
        """,
        path=path,
        sig=_signature(rng, function),
        name=function.name,
        does=function.does,
        rule=function.rule,
    )
    result = yield _written(path, function.code)
    yield _end(result, path, f"Created {path} with {function.name}.")


@intent("exact", 2.4)
def exact_module_two(project: Project, rng: Voice) -> Script:
    path, one, other = _new_module(project, rng), described(rng), described(rng)
    if one.name == other.name:
        raise Unsuitable
    yield ask(
        rng,
        """
        new module {path} with two functions. {sig}: {rule}. {sig2}: {rule2}. typecheck it
        {path} with {sig} and {sig2}. the first {does}, the second {does2}. run ty
        create {path} with 2 functions: 1. {sig}, {rule}. 2. {sig2}, {rule2}. then typecheck the file
        (write|make|add) {path}: {sig} {does}; {sig2} {does2}. type check it
        I need {path} with {sig} - {rule} - and {sig2} - {rule2}. check the types when it is there
        {path}, two helpers: {sig} {does}, and {sig2} {does2}. ty must be fine with them
        a new file {path} that has {sig}, which {does}, and {sig2}, which {does2}. then ty
        implement {name} and {name2} in {path}. {sig}: {rule}. {sig2}: {rule2}. typecheck
        could you write {path} with {sig}: {rule}, and below it {sig2}: {rule2}? no tests, only a type check
        start {path} with two functions, {sig} for {rule} and {sig2} for {rule2}; typecheck it
        put both into a new {path}: {sig} {does}. {sig2} {does2}. check the types
        module {path}. first function {sig}: {rule}. second function {sig2}: {rule2}. run the type checker on it
        make {path} for me. it defines {sig} and {sig2}; the one {does}, the other {does2}. verify with ty
        {name} and {name2} go into {path}, which is new. {sig}: {rule}. {sig2}: {rule2}. typecheck
        in a new {path}: {sig} {does}. also {sig2}, it {does2}. is it type clean then
        """,
        path=path,
        sig=_signature(rng, one),
        name=one.name,
        does=one.does,
        rule=one.rule,
        sig2=_signature(rng, other),
        name2=other.name,
        does2=other.does,
        rule2=other.rule,
    )
    result = yield _written(path, f"{one.code}\n\n{other.code}")
    yield _end(result, path, f"Created {path} with {listed([one.name, other.name])}.")


@intent("exact", 2, alone=True)
def exact_more_function(project: Project, rng: Voice) -> Script:
    """A function more at the end of a module that is there."""
    paths = [path for path in project.modules if project.files[path] and path not in project.faulty()]
    if not paths:
        raise Unsuitable
    path, function = rng.choice(paths), described(rng)
    if function.name in project.files[path]:
        raise Unsuitable
    yield ask(
        rng,
        """
        add {sig} to {path}: {rule}. typecheck it
        add {sig} to {path}, it {does}, and check the types
        {path} gets another function: {sig}, {rule}. then ty
        {path}: new function {sig} at the end. it {does}. typecheck the file
        one more function for {path}, {sig}: {rule}. run the type checker on it
        (append|put) {sig} at the end of {path}; it {does}. type check
        extend {path} with {sig}. rule: {rule}. ty must still pass
        in {path} I also need {sig}: {rule}. check it with ty
        below the others in {path}: {sig}, it {does}. typecheck afterwards
        implement {name} in {path}, {sig}. {rule}. keep the rest and typecheck
        let {path} also have {sig}, which {does}. then a type check
        {path} lacks {name}: {sig}, {rule}. add it and run ty
        could you add {sig} to {path}? it {does}. check types too
        write {sig} into the existing {path}, last in the file: {rule}. typecheck it
        for {path}: {sig}. {rule}. ty it when it is in
        """,
        path=path,
        sig=_signature(rng, function),
        name=function.name,
        does=function.does,
        rule=function.rule,
    )
    result = yield program(
        f'text = read_file("{path}")\n'
        f'write_file("{path}", text.rstrip() + {quoted(chr(10) * 3 + function.code)})\nprint(typecheck("{path}"))'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so nothing was added.")
    else:
        yield _end(result, path, f"Added {function.name} to {path}.")


_METHODS = [
    ("label", "(self) -> str", 'return f"{self.TEXT} ({self.COUNT})"', "TEXT with COUNT in brackets behind it"),
    ("heading", "(self) -> str", 'return f"{self.TEXT}: {self.COUNT}"', "TEXT, a colon, a space and COUNT"),
    ("is_over", "(self, limit: int) -> bool", "return self.COUNT > limit", "True if COUNT is greater than limit"),
    ("is_empty", "(self) -> bool", "return self.COUNT == 0", "whether COUNT is 0"),
    ("weighted", "(self) -> float", "return self.COUNT * self.AMOUNT", "COUNT times AMOUNT"),
    ("raised", "(self, percent: float) -> float", "return self.AMOUNT * (100 + percent) / 100", "AMOUNT plus percent"),
    ("grow", "(self, step: int) -> None", "self.COUNT += step", "adds step to COUNT"),
    ("key", "(self) -> str", "return self.TEXT.strip().lower()", "TEXT stripped and in lower case"),
    ("shout", "(self) -> str", "return self.TEXT.upper()", "TEXT in upper case"),
    ("initial", "(self) -> str", "return self.TEXT[:1].upper()", "the first letter of TEXT in upper case"),
    ("per_unit", "(self) -> float", "return self.AMOUNT / max(self.COUNT, 1)", "AMOUNT over COUNT, 0 counts as 1"),
    ("same_as", "(self, other: str) -> bool", "return self.TEXT == other", "whether TEXT equals other"),
]  # fmt: skip


@intent("exact", 2, alone=True)
def exact_method(project: Project, rng: Voice) -> Script:
    """The class is read first: it is the last thing in its file."""
    path = rng.choice(sorted(project.entities))
    e = project.entities[path]
    name, head, body, rule = rng.choice(_METHODS)
    for slot, field in (("TEXT", e.text), ("COUNT", e.count), ("AMOUNT", e.amount)):
        body, rule = body.replace(slot, field), rule.replace(slot, field)
    name = name if rng.random() < 0.5 else f"{names.word(rng)}_{name}"
    if f" {name}" in project.files[path] or path in project.faulty():
        raise Unsuitable
    yield ask(
        rng,
        """
        add a method {sig} to {cls} in {path}: {rule}. typecheck it
        {cls} in {path} needs {sig}: {rule}. check the types
        give {cls} a method {sig}, {rule}. it is in {path}. then ty
        {path}, class {cls}: new method {sig}, {rule}. typecheck
        (new|another|one more) method for {cls} in {path}, {sig}: {rule}. run ty then
        in {path} let {cls} have {sig}: {rule}. type check the file
        extend the class {cls} in {path} by {sig}: {rule}. ty must accept it
        I want to call {name} on a {cls}. {path}: {sig}, {rule}. typecheck it
        put {sig} into {cls}, {path}. what it gives: {rule}. check with ty
        implement {sig} on {cls} in {path}: {rule}. make sure the types are right
        {cls} should know {name}: {sig}, {rule}. edit {path} and typecheck it
        the dataclass {cls} in {path} gets {sig}: {rule}. then a type check
        method {sig} for {cls}, file {path}: {rule}. typecheck afterwards
        could you teach {cls} in {path} a method {sig}? {rule}. and ty it
        add {name} to {cls}. signature {sig}, file {path}, {rule}. check types
        """,
        path=path,
        cls=e.name,
        name=name,
        sig=name + head if rng.random() < 0.6 else f"`{name}{head}`",
        rule=rule,
    )
    result = yield program(f'print(read_file("{path}"))')
    if f"class {e.name}" not in result.text:
        raise Unsuitable
    code = f"\n    def {name}{head}:\n        {body}\n"
    result = yield program(
        f'text = read_file("{path}")\nwrite_file("{path}", text + {quoted(code)})\nprint(typecheck("{path}"))'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so nothing was added.")
    else:
        yield _end(result, path, f"Added {name} to {e.name} in {path}.")
