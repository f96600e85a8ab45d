"""Requests that change files. Some of the writes are refused, as a user may."""

import json

from punie_cli.agent.messages import OUTPUT_LINE, Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Forms, Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.project import Project

CREATE = Forms(
    "create",
    """
    (create|make|write) (a file|the file|a new file|) {path} (with the text|with the content|containing|that says): {text}
    (create|write) {path} with the (text|content|line) "{text}"
    (write|put|save) "{text}" (to|into|in) {path}
    (add|create) a file {path} with "{text}" in it
    save the (text|note) "{text}" (as|in) {path}
    (create|write|make) {path} with the (text|line|words|note): {text}
    (put|write|save) this (in|into|to) {path}: {text}
    (create|make) (a note|a text file|the note|a file) {path} (saying|reading|with this text): {text}
    """,  # noqa: E501  (one wording a line)
)


REPLACE = Forms(
    "replace",
    """
    (replace|change) {old} (by|with|to) {new} in {path}
    (replace|change) "{old}" (with|to|into) "{new}" in {path}
    in {path}, (replace|change) {old} (with|to) {new}
    rename {old} to {new} in {path}
    {path} should say {new} and not {old}
    swap the word {old} for {new} in {path}
    """,
)


def told(result: Message, path: str, done: str) -> str:
    """The answer to a change: done, or refused."""
    if refused(result):
        return f"The change to {path} was refused, so nothing was written."
    if result.error or result.text.startswith("unchanged"):
        # A second turn may ask for what the first one made impossible.
        raise Unsuitable
    return done


def new_path(project: Project, rng: Voice) -> str:
    """A text file that is not there yet."""
    stem = rng.choice(
        [names.word(rng), names.stem(rng), f"{names.word(rng)}_{names.word(rng)}", names.word(rng).upper()]
    )
    path = stem + rng.choice([".txt", ".txt", ".md", ".cfg", ".log"])
    if rng.random() < 0.25:
        path = f"{rng.choice(['docs', 'data', names.word(rng)])}/{path}"
    if path in project.files:
        raise Unsuitable
    return path


def text_file(project: Project, rng: Voice) -> str:
    """A file of plain text."""
    return rng.choice([p for p in project.files if p.endswith((".txt", ".md", ".csv"))])


def word_of(project: Project, rng: Voice, path: str) -> str:
    """A word that stands in the file."""
    words = [w for w in project.files[path].replace(",", " ").split() if w.isalpha() and len(w) > 3]
    if not words:
        raise Unsuitable
    return rng.choice(words)


@intent("write", 3.4)
def create_file(project: Project, rng: Voice) -> Script:
    path, text = new_path(project, rng), names.phrase(rng)
    text = text.capitalize() if rng.random() < 0.2 else text
    yield ask(rng, CREATE, path=path, text=text)
    line = quoted(text + "\n")
    result = yield program(f'print(write_file("{path}", {line}))')
    yield answer(told(result, path, f"Created {path}."))


@intent("write", 1.4)
def append_line(project: Project, rng: Voice) -> Script:
    path = text_file(project, rng)
    text = f"{names.word(rng)},{rng.randint(1, 500)}" if path.endswith(".csv") else names.phrase(rng)
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
    yield answer(told(result, path, f"Added the line to {path}."))


@intent("write", 2)
def replace_word(project: Project, rng: Voice) -> Script:
    path = text_file(project, rng)
    old, new = word_of(project, rng, path), names.word(rng)
    yield ask(rng, REPLACE, path=path, old=old, new=new)
    result = yield program(f'text = read_file("{path}")\nprint(write_file("{path}", text.replace("{old}", "{new}")))')
    yield answer(told(result, path, f"Replaced {old} with {new} in {path}."))


@intent("write", 1.2)
def replace_and_show(project: Project, rng: Voice) -> Script:
    path = text_file(project, rng)
    old, new = word_of(project, rng, path), names.word(rng)
    yield ask(
        rng,
        """
        (replace|change) {old} (with|to) {new} in {path} and show (me|) the result
        rename {old} to {new} in {path}, then show the file
        change {old} into {new} in {path} and read it again
        put {new} in place of {old} in {path} and print the file
        in {path} make {old} {new}, and let me see the file afterwards
        edit {path}: {old} becomes {new}; show it to me then
        """,
        path=path,
        old=old,
        new=new,
    )
    result = yield program(
        f'text = read_file("{path}").replace("{old}", "{new}")\nwrite_file("{path}", text)\nprint(read_file("{path}"))'
    )
    if refused(result):
        yield answer(told(result, path, ""))
    else:
        yield answer(f"{path} is now:\n\n{OUTPUT_LINE}")


@intent("write", 1.5)
def set_value(project: Project, rng: Voice) -> Script:
    path = project.config_file
    key = rng.choice(list(project.config))
    value = names.number(rng) if isinstance(project.config[key], int) else names.word(rng)
    yield ask(
        rng,
        """
        set (the|) {key} in {path} to {value}
        change (the|) {key} (to|into) {value} in {path}
        make the {key} {value} in {path}
        update {key} in {path} to {value}
        in {path}, {key} should be {value}
        the {key} of {path} must be {value}, change it
        """,
        path=path,
        key=key,
        value=value,
    )
    result = yield program(
        f'data = json.loads(read_file("{path}"))\ndata["{key}"] = {json.dumps(value)}\n'
        f'print(write_file("{path}", json.dumps(data, indent=2) + "\\n"))'
    )
    yield answer(told(result, path, f"Set {key} to {value} in {path}."))


@intent("write", 0.9)
def remove_key(project: Project, rng: Voice) -> Script:
    path, key = project.config_file, rng.choice(list(project.config))
    yield ask(
        rng,
        """
        (remove|delete|drop) (the key|) {key} from {path}
        take {key} out of {path}
        {path} no longer needs {key}, remove it
        delete the setting {key} in {path}
        get rid of {key} in {path}
        {key} must go from {path}
        """,
        path=path,
        key=key,
    )
    result = yield program(
        f'data = json.loads(read_file("{path}"))\ndel data["{key}"]\n'
        f'print(write_file("{path}", json.dumps(data, indent=2) + "\\n"))'
    )
    yield answer(told(result, path, f"Removed {key} from {path}."))


@intent("write", 2)
def is_new(project: Project, rng: Voice) -> Script:
    """Whether a write made the file: a field of its result."""
    new = rng.random() < 0.5
    path = new_path(project, rng) if new else text_file(project, rng)
    text = names.phrase(rng)
    yield ask(
        rng,
        """
        write "{text}" to {path} and tell me whether the file is new
        save "{text}" in {path}; did the file exist before
        put "{text}" into {path} and say if you had to create it
        make {path} say "{text}" and tell me if it was there already
        store "{text}" as {path} and report whether that made a new file
        fill {path} with "{text}": is it a new file
        """,
        path=path,
        text=text,
    )
    line = quoted(text + "\n")
    result = yield program(f'result = write_file("{path}", {line})\nprint(result.created)')
    if refused(result):
        yield answer(told(result, path, ""))
    elif result.text.strip() == "True":
        yield answer(f"{path} is a new file with this text.")
    else:
        yield answer(f"{path} was there already; it now has this text.")


@intent("write", 0.9)
def copy_file(project: Project, rng: Voice) -> Script:
    path = text_file(project, rng)
    new = new_path(project, rng)
    yield ask(
        rng,
        """
        copy {path} to {new}
        make a copy of {path} named {new}
        (save|write) the text of {path} as {new}
        duplicate {path} as {new}
        {new} should be a copy of {path}
        I want the content of {path} in {new} too
        """,
        path=path,
        new=new,
    )
    result = yield program(f'print(write_file("{new}", read_file("{path}")))')
    yield answer(told(result, new, f"Copied {path} to {new}."))
