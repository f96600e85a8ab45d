"""What goes wrong, and what then: the next program is right, or the answer says what failed."""

from pathlib import PurePosixPath

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, listed, quoted
from punie_cli.rows.intents.files import READ
from punie_cli.rows.intents.paths import absent, base_name, meant, suggested
from punie_cli.rows.intents.writes import CREATE, REPLACE, new_path, text_file, told, word_of
from punie_cli.rows.projects import Project, config_keys


@intent("failure", 1.5, alone=True)
def missing_key(project: Project, rng: Voice) -> Script:
    """The key is not there: look which are."""
    path = project.config_file
    key = rng.choice([k for k in config_keys() if k not in project.config])
    yield ask(
        rng,
        """
        what is the {key} in {path}
        (which|what) {key} (is set|is configured|stands) in {path}
        (get|read|show|look up|tell me) the {key} (from|in|of) {path}
        what value does {key} have in {path}
        (find|give me) the value of {key} in {path}
        print {key} from {path}
        """,
        path=path,
        key=key,
    )
    result = yield program(f'data = json.loads(read_file("{path}"))\nprint(data["{key}"])')
    if not (result.error or "").startswith("KeyError"):
        raise Unsuitable
    result = yield program("for key in data:\n    print(key)")
    yield answer(f"{path} has no {key}. It has {listed(result.text.split())}.")


@intent("failure read", 0.7, alone=True)
def read_folder(project: Project, rng: Voice) -> Script:
    """A folder cannot be read as a file, but it can be listed."""
    folders = sorted({path.rpartition("/")[0] for path in project.files if "/" in path})
    path = rng.choice(folders)
    yield ask(rng, READ, path=path)
    result = yield program(f'print(read_file("{path}"))')
    if not (result.error or "").startswith("IsADirectoryError"):
        raise Unsuitable
    result = yield program(f'print(run_command(["ls", "{path}"]))')
    yield answer(f"{path} is a folder. It has {listed(result.text.split())}.")


@intent("failure command", 0.6)
def list_missing(project: Project, rng: Voice) -> Script:
    path = absent(project, rng).rpartition("/")[0] or names.folder(rng)
    yield ask(
        rng,
        """
        list the files in {path}
        what files are in {path}
        show me the folder {path}
        ls {path}
        what is in the directory {path}
        which files does {path} hold
        """,
        path=path,
    )
    result = yield program(f'print(run_command(["ls", "{path}"]))')
    if "exit code" not in result.text:
        raise Unsuitable
    yield answer(f"There is no folder {path} in this project.")


@intent("failure", 0.9)
def script_missing(project: Project, rng: Voice) -> Script:
    path = f"./{names.verb(rng)}{rng.choice(['', '_' + names.word(rng)])}.sh"
    yield ask(
        rng,
        """
        run {path}
        execute {path}
        start the script {path}
        (can|could) you run {path}
        run {path} and show me what it prints
        what does {path} print
        """,
        path=path,
    )
    result = yield program(f'print(run_command(["{path}"]))')
    if "no command" not in (result.error or ""):
        raise Unsuitable
    yield answer(f"There is no {path} in this project, so nothing was run.")


@intent("failure write", 0.8, alone=True)
def replace_base_name(project: Project, rng: Voice) -> Script:
    """A file is named without its folder: the error says where it is."""
    inside = [p for p in project.files if "/" in p and p.endswith((".md", ".csv", ".txt"))]
    if not inside:
        raise Unsuitable
    path = rng.choice(inside)
    base = base_name(project, rng, path)
    old, new = word_of(project, rng, path), names.word(rng)
    yield ask(rng, REPLACE, path=base, old=old, new=new)
    code = 'text = read_file("{0}")\nprint(write_file("{0}", text.replace("{1}", "{2}")))'
    result = yield program(code.format(base, old, new))
    if meant(result) != path:
        raise Unsuitable
    result = yield program(code.format(path, old, new))
    yield answer(told(result, path, f"Replaced {old} with {new} in {path}."))


@intent("failure", 1)
def replace_nothing(project: Project, rng: Voice) -> Script:
    """The word is not there, and the file stays as it is."""
    path = text_file(project, rng)
    old, new = names.word(rng), names.word(rng)
    if old in project.files[path] or old == new:
        raise Unsuitable
    yield ask(rng, REPLACE, path=path, old=old, new=new)
    yield program(f'text = read_file("{path}")\nprint(write_file("{path}", text.replace("{old}", "{new}")))')
    yield answer(f"{path} does not contain {old}, so it is unchanged.")


@intent("failure", 0.8)
def append_to_missing(project: Project, rng: Voice) -> Script:
    path, text = new_path(project, rng), names.phrase(rng)
    yield ask(
        rng,
        """
        (add|append) (the line|a line|) "{text}" to {path}
        (add|append) "{text}" at the end of {path}
        put the line "{text}" at the end of {path}
        {path} needs one more line: {text}
        extend {path} by the line "{text}"
        write "{text}" as the last line of {path}
        """,
        path=path,
        text=text,
    )
    line = quoted(text + "\n")
    result = yield program(f'text = read_file("{path}")\nprint(write_file("{path}", text + {line}))')
    if not result.error or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {path} in this project, so nothing was added. Shall I create it?")


@intent("failure", 0.9, refused=True)
def create_refused(project: Project, rng: Voice) -> Script:
    path, text = new_path(project, rng), names.phrase(rng)
    yield ask(rng, CREATE, path=path, text=text)
    line = quoted(text + "\n")
    result = yield program(f'print(write_file("{path}", {line}))')
    yield answer(told(result, path, ""))


@intent("failure", 0.8, refused=True)
def replace_refused(project: Project, rng: Voice) -> Script:
    path = text_file(project, rng)
    old, new = word_of(project, rng, path), names.word(rng)
    yield ask(rng, REPLACE, path=path, old=old, new=new)
    result = yield program(f'text = read_file("{path}")\nprint(write_file("{path}", text.replace("{old}", "{new}")))')
    yield answer(told(result, path, ""))


@intent("failure", 0.7, refused=True)
def command_refused(project: Project, rng: Voice) -> Script:
    """Commands that may change things ask."""
    module = rng.choice(["build", "pip list", "compileall .", "venv env", "pip install .", "http.server", "pip check"])
    command = f"python3 -m {module}"
    yield ask(
        rng,
        """
        run {command}
        what does {command} say
        (can|could) you run {command}
        show me the output of {command}
        execute {command} here
        {command}
        """,
        command=command,
    )
    words = ", ".join(f'"{word}"' for word in command.split())
    result = yield program(f"print(run_command([{words}]))")
    if not (result.error or "").startswith("PermissionError"):
        raise Unsuitable
    yield answer(f"Running {command} was refused, so there is no output.")


@intent("failure", 0.8)
def write_protected(project: Project, rng: Voice) -> Script:
    path = rng.choice([".git/config", ".git/hooks/pre-commit", ".gitmodules", ".git/info/exclude"])
    text = names.phrase(rng)
    yield ask(
        rng,
        """
        write "{text}" to {path}
        put "{text}" into {path}
        save the text "{text}" in {path}
        make {path} say "{text}"
        overwrite {path} with "{text}"
        set the content of {path} to "{text}"
        """,
        path=path,
        text=text,
    )
    line = quoted(text + "\n")
    result = yield program(f'print(write_file("{path}", {line}))')
    if "protected" not in (result.error or ""):
        raise Unsuitable
    yield answer(f"{path} is protected: I cannot write it, so nothing was changed.")


@intent("failure", 0.9)
def read_outside(project: Project, rng: Voice) -> Script:
    stem, other = names.word(rng), names.folder(rng)
    path = rng.choice([f"../{stem}.txt", f"/etc/{stem}.conf", f"../{other}/{stem}.py", f"/home/{stem}/notes.md"])
    yield ask(rng, READ, path=path)
    result = yield program(f'print(read_file("{path}"))')
    if "outside" not in (result.error or ""):
        raise Unsuitable
    yield answer(f"{path} is outside this project, so I cannot read it.")


@intent("failure", 0.8)
def compare_missing(project: Project, rng: Voice) -> Script:
    """One of two files is not there."""
    here = rng.choice([p for p, text in project.files.items() if text])
    gone = f"docs/{names.stem(rng)}.md"
    yield ask(
        rng,
        """
        which is longer, {a} or {b}
        compare the length of {a} and {b}
        does {a} or {b} have more lines
        is {a} longer than {b}
        lines of {a} against {b}
        read {a} and {b} and tell me which has more lines
        """,
        a=here,
        b=gone,
    )
    result = yield program(f'for path in ["{here}", "{gone}"]:\n    print(path, len(read_file(path).splitlines()))')
    if not result.error or suggested(result):
        raise Unsuitable
    yield answer(f"There is no {gone} in this project, so there is nothing to compare {PurePosixPath(here).name} with.")


@intent("failure", 0.9, alone=True)
def run_base_name(project: Project, rng: Voice) -> Script:
    """A script named without its folder fails; a search finds it."""
    scripts = [p for p, text in project.files.items() if p.startswith("scripts/") and text.startswith("print(")]
    if not scripts:
        raise Unsuitable
    path = scripts[0]
    base = base_name(project, rng, path)
    yield ask(
        rng,
        """
        run the script {path}
        execute {path}
        what does {path} print
        run {path} and show me the output
        (can|could) you run {path}
        start {path} with python
        """,
        path=base,
    )
    result = yield program(f'print(run_command(["python3", "{base}"]).exit_code)')
    if result.text.strip() != "2":
        raise Unsuitable
    result = yield program(f'print(run_command(["find", ".", "-name", "{base}"]))')
    if result.text.strip() != f"./{path}":
        raise Unsuitable
    result = yield program(f'print(run_command(["python3", "{path}"]))')
    yield answer(f"{path} printed:\n\n{OUTPUT_LINE}")
