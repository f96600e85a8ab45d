"""Looking around and running things, asked as developers type: lists, searches, counts, scripts."""

import json
import re

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, listed, rarely
from punie_cli.rows.intents.paths import short
from punie_cli.rows.project import Project

_SORTED = "for line in sorted(result.stdout.splitlines()):\n    print(line)"
_SUFFIXES = [("py", "python"), ("json", "json"), ("md", "markdown"), ("csv", "csv"), ("txt", "text"), ("toml", "toml")]


def _folder(project: Project, rng: Voice) -> str:
    return rng.choice(sorted({path.rsplit("/", 1)[0] for path in project.files if "/" in path}))


@intent("doing", 1.4)
def see_folder(project: Project, rng: Voice) -> Script:
    folder = _folder(project, rng)
    yield ask(
        rng,
        """
        ls {path}
        what(s|'s| is) in {path}
        dir listing of {path}(| pls)
        list {path}
        (just|quickly|) list what {path} (has|holds)
        which files do we keep in {path}
        I forgot what is in {path}, (list it|show me)
        show (the|) contents of {path}
        can you see what {path} contains
        (open|look into) the folder {path} and name the files there
        files in {path}
        names of the files in {path}
        is there anything in {path}, and what
        before I add a file to {path}: what is there already
        give me an ls of {path}
        which things live in {path}
        could you list the directory {path} for me
        tell me what {path} has inside
        i need to know which files {path} has
        let me see the folder {path}
        lsit the files in {path}
        contents of {path} pls
        """,
        path=folder + rng.choice(["", "", "/"]),
    )
    result = yield program(f'print(run_command(["ls", "{folder}"]))')
    yield answer(f"{folder} has {listed(result.text.split())}.")


@intent("doing", 0.8)
def see_root(project: Project, rng: Voice) -> Script:
    yield ask(
        rng,
        """
        ls(| please| .)
        list files
        what do we have here
        what's (here|in here|in the repo)
        which files and folders (are|lie) at the top
        top level (files|listing)(| please)
        (show|list) the (top|root) folder
        show me what is in the root of the (repo|project)
        I am new here, what (files|folders) are there
        first look: what is in the project folder
        what does the root (directory|folder) (hold|contain)
        list the current directory
        list everything at the top of the (repo|repository)
        dir
        (files|folders) in the root(|, please)
        how is the repo laid out at the top
        let me see the root
        name the entries of the project folder
        whats in this foler
        list teh files here
        """,
    )
    result = yield program('print(run_command(["ls"]))')
    yield answer(f"The project has {listed(result.text.split())}.")


@intent("doing", 0.9)
def see_everything(project: Project, rng: Voice) -> Script:
    everything = rng.random() < 0.5
    folder = "." if everything else _folder(project, rng)
    here = rng.choice(["the project", "the repo", "this folder", "the repository"])
    yield ask(
        rng,
        """
        list all files (in|of|below) {place} recursively
        every file (in|below|under) {place}, subfolders (too|included)
        recursive listing of {place}
        ls -R {place}
        find {place} -type f
        show (me|) the whole tree of {place}
        all paths (in|below|under) {place}
        which files are anywhere (in|under|below) {place}
        go through {place} and list each file, nested ones too
        list {place} with all its subfolders
        full file list of {place}(| please)
        (give me|print) the path of every file (in|below) {place}
        what is in {place}, all the way down
        walk {place} and print what files it has
        the file tree of {place}
        I want to see each file that {place} holds, however deep
        """,
        place=here if everything else folder,
    )
    yield program(f'result = run_command(["find", "{folder}", "-type", "f"])\n{_SORTED}')
    yield answer(f"Files in {'the project' if everything else folder}:\n\n{OUTPUT_LINE}")


@intent("doing", 1.2)
def file_called(project: Project, rng: Voice) -> Script:
    there = rng.random() < 0.75
    paths = [path for path in project.files if "/" in path or rng.random() < 0.3]
    name = rng.choice(sorted(paths)).rpartition("/")[2] if there and paths else f"{names.stem(rng)}.md"
    yield ask(
        rng,
        """
        where is {name}
        find {name}
        find the file {name}
        where did we put {name}
        is there a (file called|file named|) {name} (here|in the repo|anywhere)
        which folder (has|holds) {name}
        locate {name}
        path of {name}(| please)
        full path to {name}
        I am looking for {name}, where is it
        do we have a {name}
        search for a file named {name}
        in what directory does {name} live
        what is the path to {name}
        can't find {name}, can you
        find -name {name}
        look for {name} in all folders
        {name}: where is that file
        were is {name}
        in wich folder is {name}
        """,
        name=name,
    )
    result = yield program(f'result = run_command(["find", ".", "-name", "{name}"])\n{_SORTED}')
    found = [line.removeprefix("./") for line in result.text.splitlines() if line.startswith("./")]
    if not found:
        yield answer(f"There is no file called {name} in this project.")
    elif len(found) == 1:
        yield answer(f"{name} is at {found[0]}.")
    else:
        yield answer(f"There are {len(found)} files called {name}: {listed(found)}.")


@intent("doing", 1.2)
def files_ending(project: Project, rng: Voice) -> Script:
    suffix, word = rng.choice(_SUFFIXES)
    yield ask(
        rng,
        """
        list the {word} files
        all .{suffix} files(| please)
        find . -name "*.{suffix}"
        where do we have {word} files
        show every .{suffix} file
        (which|what) files end in .{suffix}
        paths of the .{suffix} files
        what .{suffix} files (do we have|are there|exist)
        find everything with the ending .{suffix}
        I need the paths of all our {word} files
        list *.{suffix}
        name the {word} files of this (repo|project)
        are there (any|) .{suffix} files(| here), and which
        look for {word} files
        give me a list of files with (suffix|extension) .{suffix}
        {word} files?
        tell me where the {word} files are
        search all folders for .{suffix}
        lst all .{suffix} files
        where are our *.{suffix}
        """,
        suffix=suffix,
        word=word,
    )
    result = yield program(f'result = run_command(["find", ".", "-name", "*.{suffix}"])\n{_SORTED}')
    found = [line.removeprefix("./") for line in result.text.splitlines() if line.startswith("./")]
    if not found:
        yield answer(f"There are no .{suffix} files in this project.")
    elif len(found) == 1:
        yield answer(f"There is one .{suffix} file: {found[0]}.")
    else:
        yield answer(f"There are {len(found)} .{suffix} files: {listed(found)}.")


@intent("doing", 1.2)
def number_ending(project: Project, rng: Voice) -> Script:
    suffix, word = rng.choice(_SUFFIXES)
    folder = rng.choice([".", ".", project.package])
    yield ask(
        rng,
        """
        how many .{suffix} files {place}
        count .{suffix} files {place}
        number of {word} files {place}
        how many {word} files do we have {place}
        count everything that ends in .{suffix} {place}
        what is the count of {word} files {place}
        how many files (with|of) the (ending|extension) .{suffix} are there {place}
        .{suffix} files {place}: how many
        tell me how many {word} files there are {place}
        (quick|) count of {word} files {place}
        i want the number of .{suffix} files {place}
        can you count the {word} files {place}
        are there many {word} files {place}? count them
        {word} files {place}, just the number
        how many *.{suffix} {place}
        find out how many .{suffix} files we keep {place}
        """,
        suffix=suffix,
        word=word,
        place=rng.choice(["in the repo", "in this project", "altogether"]) if folder == "." else f"in {folder}",
    )
    result = yield program(
        f'result = run_command(["find", "{folder}", "-name", "*.{suffix}"])\nprint(len(result.stdout.splitlines()))'
    )
    number = int(result.text)
    where = "this project" if folder == "." else folder
    yield answer(f"There {'is' if number == 1 else 'are'} {count(number, f'.{suffix} file')} in {where}.")


def _word(project: Project, rng: Voice) -> str:
    """A word that stands in up to six places; one in seven stands nowhere."""
    if rng.random() < 0.15:
        return f"{names.word(rng)}_{names.word(rng)}"
    words = [w for text in project.files.values() for w in re.findall(r"\b[A-Za-z_]{5,}\b", text)]
    return rng.choice(sorted({w for w in words if words.count(w) <= 6}))


@intent("doing", 1.2)
def grep_files(project: Project, rng: Voice) -> Script:
    word = _word(project, rng)
    yield ask(
        rng,
        """
        grep -l {word}
        which files have {word} in them
        files that (mention|contain|use) {word}
        name the files with {word}
        (list|show) (the|all) files (containing|that contain) "{word}"
        (in which|which) files does {word} (appear|occur|come up|stand)
        grep for {word}, file names only
        what files (talk about|refer to) {word}
        I want to know which files say {word}
        search the (repo|project) for {word} and list the files
        find files with the word {word}
        only the file names: who mentions {word}
        where is {word} mentioned, files are enough
        the files where {word} occurs(|, please)
        who uses {word}? just the files
        before I rename {word}: which files use it
        wich files use {word}
        """,
        word=word,
    )
    result = yield program(f'result = run_command(["grep", "-rl", {json.dumps(word)}, "."])\n{_SORTED}')
    found = [line.removeprefix("./") for line in result.text.splitlines() if line.startswith("./")]
    if not found:
        yield answer(f"No file in this project mentions {word}.")
    elif len(found) == 1:
        yield answer(f"{word} is in {found[0]} only.")
    else:
        yield answer(f"{word} is in {len(found)} files: {listed(found)}.")


@intent("doing", 1.2)
def grep_lines(project: Project, rng: Voice) -> Script:
    word = _word(project, rng)
    yield ask(
        rng,
        """
        grep {word}
        grep -rn {word}
        grep -n {word} in all files
        (show|print) (all|the) lines (with|that mention|that contain) {word}
        every line with {word}, with (its|the) line number
        on which lines does {word} (occur|appear|stand)
        (where|which lines) exactly is {word} used, lines and numbers
        file and line of each {word}
        search (everything|all files) for {word} and show the lines
        find {word} (in the project|everywhere) and give me line numbers
        look for {word}, I need the lines
        all (uses|occurrences) of {word} with file and line number
        show me where {word} comes up, line by line
        line numbers for {word}(| please)
        I want to see each line that says {word}
        print the matches of {word} with their line numbers
        serach {word} and print the lines
        """,
        word=word,
    )
    result = yield program(f'print(run_command(["grep", "-rn", {json.dumps(word)}, "."]))')
    if result.text.startswith("exit code 1"):
        yield answer(f"No line in this project mentions {word}.")
        return
    found = [match for line in result.text.splitlines() if (match := re.match(r"\./([^:]+):(\d+):", line))]
    if not found:
        raise Unsuitable
    if len(found) == 1:
        yield answer(f"{word} is in {found[0][1]} on line {found[0][2]} only.")
    else:
        yield answer(f"Lines with {word}:\n\n{OUTPUT_LINE}")


@intent("doing", 1.2)
def grep_count(project: Project, rng: Voice) -> Script:
    path = short(project, rng, 40)
    words = sorted(set(re.findall(r"\b[A-Za-z_]{4,}\b", project.files[path])))
    if not words:
        raise Unsuitable
    word = rng.choice(words) if rng.random() < 0.8 else names.word(rng)
    if project.files[path].count(word) != len(re.findall(rf"\b{word}\b", project.files[path])):
        raise Unsuitable
    yield ask(
        rng,
        """
        how often does {word} (occur|appear|come up) in {path}
        count {word} in {path}
        how many times is {word} in {path}
        number of times {word} stands in {path}
        occurrences of {word} in {path}
        {path}: how often {word}
        in {path}, how many times does it say {word}
        count how often "{word}" is in {path}
        tell me how many {word} there are in {path}
        how many {word} does {path} have
        how frequent is {word} in {path}
        go through {path} and count the word {word}
        I need a count of "{word}" for {path}
        does {path} mention {word}, and how often
        {path} - number of {word}
        """,
        path=path,
        word=word,
    )
    result = yield program(f'print(read_file("{path}").count({json.dumps(word)}))')
    if result.error:
        raise Unsuitable
    number = int(result.text)
    if not number:
        rarely(rng)
        yield answer(f"{word} does not occur in {path}.")
    else:
        yield answer(f"{word} occurs {number} time{'' if number == 1 else 's'} in {path}.")


@intent("doing", 0.8)
def grep_total(project: Project, rng: Voice) -> Script:
    """How often in all files: one line of output for each place."""
    word = _word(project, rng)
    yield ask(
        rng,
        """
        how often does {word} (occur|appear|come up) in {place}
        count {word} in {place}
        how many times is {word} used in {place}
        number of uses of {word} in {place}
        total occurrences of {word} in {place}
        in {place}, how many times do we write {word}
        how many {word} are there in {place}
        grep {word} in {place} and count the matches
        count the matches of {word} in {place}
        is {word} used much in {place}? count it
        matches for {word} in {place}, just how many
        tell me how often {word} stands in {place}
        how many places in {place} use {word}
        I need the number of times {word} comes up in {place}
        (quick|) count of {word} in {place}
        how offen is {word} in {place}
        """,
        word=word,
        place=rng.choice(["the project", "all files", "the whole repo", "the repository", "this project"]),
    )
    result = yield program(
        f'result = run_command(["grep", "-ro", {json.dumps(word)}, "."])\nprint(len(result.stdout.splitlines()))'
    )
    number = int(result.text)
    times = f"occurs {number} time{'' if number == 1 else 's'}" if number else "does not occur"
    yield answer(f"{word} {times} in this project.")
