"""Questions that a command answers: listing, searching, running."""

import json
import re

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.project import Project


def _folders(project: Project) -> list[str]:
    return sorted({path.rsplit("/", 1)[0] for path in project.files if "/" in path})


@intent("command", 1.8)
def list_folder(project: Project, rng: Voice) -> Script:
    folder = rng.choice([*_folders(project), project.package])
    yield ask(
        rng,
        """
        list (the files in|all files in|the contents of|what is in|) {path}
        (what|which) files are (in|inside|there in) {path}
        (show|show me|print|give me) (the files in|the folder|what is in the folder|the listing of) {path}
        ls {path}
        what (is|do we have) in (the folder|the directory) {path}
        (what|which) files does (the folder|) {path} (have|contain|hold)
        """,
        path=folder + rng.choice(["", "", "/"]),
    )
    result = yield program(f'print(run_command(["ls", "{folder}"]))')
    yield answer(f"{folder} has {listed(result.text.split())}.")


@intent("command", 0.7)
def list_root(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        list (the files|all files) (here|in this folder|in the project root|in the root)
        (what|which) files (are here|do we have here|are in this directory|are in the root)
        ls
        (show|show me) (the top level|what is in this folder|the project folder)
        what is in this (project|directory|folder)
        give me the listing of the root
        """,
    )
    result = yield program('print(run_command(["ls"]))')
    yield answer(f"The project has {listed(result.text.split())}.")


@intent("command", 1.5)
def find_definition(project: Project, rng: Voice) -> Script:
    if not project.functions:
        raise Unsuitable
    name = rng.choice(sorted(project.functions))
    yield ask(
        rng,
        """
        where is (the function|) {name} (defined|implemented|declared)
        (which|what) file (defines|has|contains) (the function|) {name}
        (find|locate|show me) (the definition of|the function|where we define) {name}
        in which file is {name}
        where (can I find|do we define|is) {name}
        on which line is {name} defined
        """,
        name=name,
    )
    result = yield program(f'print(run_command(["grep", "-rn", "def {name}(", "."]))')
    match = re.match(r"\./([^:]+):(\d+):", result.text)
    if not match or result.text.count("\n") > 1:
        raise Unsuitable
    yield answer(f"{name} is defined in {match[1]} on line {match[2]}.")


@intent("command", 0.7)
def find_class(project: Project, rng: Voice) -> Script:
    name = rng.choice([e.name for e in project.entities.values()])
    yield ask(
        rng,
        """
        where is the class {name} (defined|declared|)
        (which|what) file (defines|has) (the class|) {name}
        (find|locate) the class {name}
        in which module is the class {name}
        on which line does the class {name} start
        show me where the class {name} is
        """,
        name=name,
    )
    result = yield program(f'print(run_command(["grep", "-rn", "class {name}", "."]))')
    match = re.match(r"\./([^:]+):(\d+):", result.text)
    if not match or result.text.count("\n") > 1:
        raise Unsuitable
    yield answer(f"{name} is defined in {match[1]} on line {match[2]}.")


_SUFFIXES = [("py", "Python"), ("json", "JSON"), ("md", "Markdown"), ("csv", "CSV"), ("txt", "text")]


@intent("command", 2)
def find_by_suffix(project: Project, rng: Voice) -> Script:
    suffix, word = rng.choice(_SUFFIXES)
    yield ask(
        rng,
        """
        (find|list|show|show me) (all|the|all the) {word} files
        (which|what) {word} files (are there|do we have|are in this project)
        where are the {word} files
        find (all|) files (ending in|that end with) .{suffix}
        find *.{suffix}
        paths of all {word} files
        """,
        word=word,
        suffix=suffix,
    )
    result = yield program(
        f'result = run_command(["find", ".", "-name", "*.{suffix}"])\n'
        "for line in sorted(result.stdout.splitlines()):\n    print(line)"
    )
    found = [line.removeprefix("./") for line in result.text.split()]
    if not found:
        yield answer(f"There are no {word} files in this project.")
    elif len(found) == 1:
        yield answer(f"There is one {word} file: {found[0]}.")
    else:
        yield answer(f"There are {len(found)} {word} files: {listed(found)}.")


@intent("command", 1.8)
def count_by_suffix(project: Project, rng: Voice) -> Script:
    suffix, word = rng.choice(_SUFFIXES)
    yield ask(
        rng,
        """
        how many {word} files (are there|do we have|are in this project|has this project)
        count the {word} files
        (give me|tell me) the number of {word} files
        number of .{suffix} files
        how many files end in .{suffix}
        count all files with the suffix .{suffix}
        """,
        word=word,
        suffix=suffix,
    )
    result = yield program(
        f'result = run_command(["find", ".", "-name", "*.{suffix}"])\nprint(len(result.stdout.splitlines()))'
    )
    number = int(result.text)
    yield answer(f"There {'is' if number == 1 else 'are'} {count(number, f'{word} file')} in this project.")


@intent("command", 1.8)
def count_in_folder(project: Project, rng: Voice) -> Script:
    folder = rng.choice(_folders(project))
    yield ask(
        rng,
        """
        how many files (are|are there) in {path}
        how many files does (the folder|) {path} (have|contain|hold)
        count the files (in|of) {path}
        number of files in {path}
        how full is the folder {path}
        (tell me|give me) the number of entries in {path}
        """,
        path=folder + rng.choice(["", "/"]),
    )
    result = yield program(f'result = run_command(["ls", "{folder}"])\nprint(len(result.stdout.splitlines()))')
    number = int(result.text)
    yield answer(f"{folder} has {number} {'entry' if number == 1 else 'entries'}.")


@intent("command", 1)
def run_script(project: Project, rng: Voice) -> Script:
    scripts = [p for p, text in project.files.items() if p.endswith(".py") and text.startswith(("print(", "raise "))]
    if not scripts:
        raise Unsuitable
    path = scripts[0]
    yield ask(
        rng,
        """
        (run|execute|start) (the script|) {path}
        what does {path} print
        run {path} (and show me the output|with python|and tell me what it prints)
        (can|could) you run {path}
        python {path}
        show me the output of {path}
        """,
        path=path,
    )
    result = yield program(f'print(run_command(["python3", "{path}"]))')
    if refused(result):
        yield answer(f"Running {path} was refused, so there is no output.")
    elif "exit code" in result.text:
        said = result.text.splitlines()
        yield answer(f"{path} failed with {said[-1]}: {said[0]}.")
    else:
        yield answer(f"{path} printed:\n\n{OUTPUT_LINE}")


@intent("command", 1.4)
def script_works(project: Project, rng: Voice) -> Script:
    scripts = [p for p, text in project.files.items() if p.endswith(".py") and text.startswith(("print(", "raise "))]
    if not scripts:
        raise Unsuitable
    path = scripts[0]
    yield ask(
        rng,
        """
        does {path} (work|run|run without errors)
        what is the exit code of {path}
        run {path} and tell me the exit code
        does running {path} (succeed|fail)
        check (if|whether) {path} runs
        is {path} broken or does it run
        """,
        path=path,
    )
    result = yield program(f'result = run_command(["python3", "{path}"])\nprint(result.exit_code)')
    if refused(result):
        yield answer(f"Running {path} was refused, so I do not know whether it works.")
    elif result.text.strip() == "0":
        yield answer(f"Yes, {path} runs: its exit code is 0.")
    else:
        yield answer(f"No, {path} fails with exit code {result.text.strip()}.")


@intent("command", 1.5)
def search_word(project: Project, rng: Voice) -> Script:
    words = [w for text in project.files.values() for w in re.findall(r"\b[a-z]{5,}\b", text)]
    rare = sorted({w for w in words if words.count(w) <= 3})
    if not rare:
        raise Unsuitable
    word = rng.choice(rare)
    yield ask(
        rng,
        """
        (which|what) files (mention|contain|use) {word}
        (search|grep) for {word}
        (find|search) (the word|) {word} in (the project|all files|the code)
        where does {word} (appear|occur)
        is {word} used anywhere
        in which files can I find the word {word}
        """,
        word=word,
    )
    result = yield program(
        f'result = run_command(["grep", "-rl", {json.dumps(word)}, "."])\n'
        "for line in sorted(result.stdout.splitlines()):\n    print(line)"
    )
    found = [line.removeprefix("./") for line in result.text.split()]
    if not found or len(found) > 4:
        raise Unsuitable
    yield answer(f"{word} is in {listed(found)}.")


@intent("command", 0.8)
def search_nothing(project: Project, rng: Voice) -> Script:
    word = f"{names.word(rng)}_{names.word(rng)}"
    yield ask(
        rng,
        """
        is {word} used (somewhere|in this project)
        grep the project for {word}
        find every place that uses {word}
        search all files for {word}
        who calls {word}
        does anything here use {word}
        """,
        word=word,
    )
    result = yield program(
        f'result = run_command(["grep", "-rn", "{word}", "."])\nprint(result.stdout, result.exit_code)'
    )
    if result.text.strip() != "1":
        raise Unsuitable
    yield answer(f"No file in this project mentions {word}.")


@intent("command", 0.9)
def find_todos(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        (find|list|show|show me) (all|the|) TODOs
        which TODOs are (left|in the code|in this project)
        are there (any|) TODO comments
        where are (our|the) TODO comments
        grep for TODO comments
        what is still to do in the code, look at the TODO comments
        """,
    )
    result = yield program(
        'result = run_command(["grep", "-rn", "# TODO", "."])\n'
        "for line in sorted(result.stdout.splitlines()):\n    print(line)"
    )
    number = len(result.text.splitlines())
    if not number:
        yield answer("There are no TODO comments in this project.")
    else:
        yield answer(f"There {'is' if number == 1 else 'are'} {count(number, 'TODO comment')}:\n\n{OUTPUT_LINE}")
