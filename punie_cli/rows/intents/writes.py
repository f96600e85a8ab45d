"""Requests that change files. Some of the writes are refused, as a user may."""

import json
from random import Random

from punie_cli.agent.messages import Message, answer, program, user
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, ask, intent
from punie_cli.rows.projects import Project

NEWLINE = "\n"


def _told(result: Message, path: str, done: str) -> str:
    """The answer to a change: done, or refused."""
    return f"The change to {path} was refused, so nothing was written." if result.error else done


def _new_path(project: Project, rng: Random) -> str:
    stem = rng.choice([names.word(rng), f"{names.word(rng)}_{names.word(rng)}", names.word(rng).upper()])
    path = stem + rng.choice([".txt", ".txt", ".md", ".cfg", ".log"])
    if rng.random() < 0.25:
        path = f"{rng.choice(['docs', 'data', names.word(rng)])}/{path}"
    if path in project.files:
        raise Unsuitable
    return path


@intent("write", 4.2)
def create_file(project: Project, rng: Random) -> Script:
    path, text = _new_path(project, rng), names.phrase(rng)
    text = text.capitalize() if rng.random() < 0.2 else text
    yield user(
        ask(
            rng,
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
            path=path,
            text=text,
        )
    )
    result = yield program(f'print(write_file("{path}", {json.dumps(text + NEWLINE)}))')
    yield answer(_told(result, path, f"Created {path}."))


@intent("write", 1.6)
def append_line(project: Project, rng: Random) -> Script:
    path = rng.choice([p for p in project.files if p.endswith((".txt", ".md", ".csv"))])
    text = f"{names.word(rng)},{rng.randint(1, 500)}" if path.endswith(".csv") else names.phrase(rng)
    yield user(
        ask(
            rng,
            """
            (add|append) (the line|a line|) "{text}" to {path}
            (add|append) "{text}" at the end of {path}
            put the line "{text}" at the end of {path}
            """,
            path=path,
            text=text,
        )
    )
    code = f'text = read_file("{path}")\nprint(write_file("{path}", text + {json.dumps(text)} + "\\n"))'
    result = yield program(code)
    yield answer(_told(result, path, f"Added the line to {path}."))


@intent("write", 2.6)
def replace_word(project: Project, rng: Random) -> Script:
    path = rng.choice([p for p in project.files if p.endswith((".txt", ".md", ".csv"))])
    old = rng.choice([w for w in project.files[path].replace(",", " ").split() if w.isalpha() and len(w) > 3])
    new = names.word(rng)
    yield user(
        ask(
            rng,
            """
            (replace|change) {old} (by|with|to) {new} in {path}
            (replace|change) "{old}" (with|to|into) "{new}" in {path}
            in {path}, (replace|change) {old} (with|to) {new}
            rename {old} to {new} in {path}
            """,
            path=path,
            old=old,
            new=new,
        )
    )
    code = f'text = read_file("{path}")\nprint(write_file("{path}", text.replace("{old}", "{new}")))'
    result = yield program(code)
    yield answer(_told(result, path, f"Replaced {old} with {new} in {path}."))


@intent("write", 1.7)
def set_value(project: Project, rng: Random) -> Script:
    path = project.config_file
    key = rng.choice(list(project.config))
    value = names.number(rng) if isinstance(project.config[key], int) else names.word(rng)
    yield user(
        ask(
            rng,
            """
            set (the|) {key} in {path} to {value}
            change (the|) {key} (to|into) {value} in {path}
            make the {key} {value} in {path}
            update {key} in {path} to {value}
            """,
            path=path,
            key=key,
            value=value,
        )
    )
    code = (
        f'data = json.loads(read_file("{path}"))\ndata["{key}"] = {json.dumps(value)}\n'
        f'print(write_file("{path}", json.dumps(data, indent=2) + "\\n"))'
    )
    result = yield program(code)
    yield answer(_told(result, path, f"Set {key} to {value} in {path}."))
