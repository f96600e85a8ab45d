"""Values that change in JSON and TOML, and the version, asked as developers type."""

import json

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.paths import refused, toml_setting, worded
from punie_cli.rows.intents.writes import told
from punie_cli.rows.project import Project


def _json_set(path: str, key: str, value: str) -> str:
    return (
        f'data = json.loads(read_file("{path}"))\ndata["{key}"] = {value}\n'
        f'print(write_file("{path}", json.dumps(data, indent=2) + "\\n"))'
    )


@intent("doing", 1.8)
def json_to(project: Project, rng: Voice) -> Script:
    path = project.config_file
    keys = [key for key, value in project.config.items() if not isinstance(value, bool)]
    if not keys:
        raise Unsuitable
    key = rng.choice(keys)
    number = isinstance(project.config[key], int)
    value = names.number(rng) if number else rng.choice([names.word(rng), f"{names.word(rng)}-{rng.randint(2, 9)}"])
    forms = """
        set {key} to {value} in {path}
        {path}: {key} = {value}
        {path}: set {key} {value}
        change {key} to {value} in {path}
        in {path} set {key} to {value}
        in {path} the {key} must be {value}
        make {key} {value} in {path}
        the {key} in {path} should be {value}
        {path} has the wrong {key}, it is {value}
        update {path}, {key} is {value} now
        give {key} the value {value} in {path}
        I want you to put {value} as {key} into {path}
        from now on the {key} is {value}, change {path}
        use {value} for the {key} in {path}
        can you set the {key} to {value} in {path}
        edit {path} so that {key} is {value}
        I want {key}: {value} in {path}, the rest as it is
        chnage {key} to {value} in {path}
        {path} {key} {value}
        """
    old = project.config[key]
    if isinstance(old, int) and isinstance(value, int) and value != old:
        verb = rng.choice(["raise", "increase", "turn up"] if value > old else ["lower", "reduce", "turn down"])
        forms += f"""{verb} the {{key}} to {{value}} in {{path}}
        {verb} {{key}} in {{path}} to {{value}}
        {{path}}: {verb} {{key}} to {{value}}
        """
    yield ask(rng, forms, path=path, key=worded(rng, key), value=value)
    yield program(f'print(read_file("{path}"))')
    result = yield program(_json_set(path, key, json.dumps(value)))
    yield answer(told(result, path, f"Set {key} to {value} in {path}."))


_OFF = """
    switch off {key} in {path}
    switch {key} off in {path}
    turn off {key}, it is in {path}
    disable {key} in {path}
    {path}: {key} off
    in {path}, turn {key} off
    the {key} should be off in {path}
    set {key} to false in {path}
    make {key} false in {path}
    deactivate {key} in {path}
    we do not want {key} any more, see {path}
    {key}=false in {path}
    I want {key} off, the file is {path}
    can you disable {key} in {path}
    {path} should have {key} false
    """
_ON = """
    switch on {key} in {path}
    switch {key} on in {path}
    turn on {key}, it is in {path}
    enable {key} in {path}
    {path}: {key} on
    in {path}, turn {key} on
    make {key} true in {path}
    set {key} to true in {path}
    activate {key} in {path}
    {path} should have {key} on
    {key}=true in {path}
    we need {key}, enable it in {path}
    can you turn {key} on in {path}
    {path} must say true for {key}
    I would like {key} enabled in {path}
    """


@intent("doing", 1.4)
def json_switch(project: Project, rng: Voice) -> Script:
    path = project.config_file
    key = f"{rng.choice(['use', 'show', 'keep', 'allow', 'auto', 'with', 'is'])}_{names.word(rng)}"
    flags = [key for key, value in project.config.items() if isinstance(value, bool)]
    if flags and rng.random() < 0.7:
        key = flags[0]
    on = not project.config.get(key, rng.random() < 0.5)
    yield ask(rng, _ON if on else _OFF, path=path, key=key)
    yield program(f'print(read_file("{path}"))')
    result = yield program(_json_set(path, key, str(on)))
    yield answer(told(result, path, f"Set {key} to {str(on).lower()} in {path}."))


@intent("doing", 1.2)
def json_more(project: Project, rng: Voice) -> Script:
    """A key that is not there yet."""
    path = project.config_file
    key = rng.choice([names.word(rng), f"{names.word(rng)}_{names.word(rng)}", f"max_{names.word(rng)}"])
    value = rng.choice([names.number(rng), names.number(rng), names.word(rng), names.word(rng), rng.random() < 0.5])
    if key in project.config:
        raise Unsuitable
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    yield ask(
        rng,
        """
        add {key} {value} to {path}
        add {key} = {value} to {path}
        add the key {key} with the value {value} to {path}
        {path}: new key {key}, {value}
        new setting {key} = {value} in {path}
        {path} needs another key: {key} with {value}
        put {key}: {value} into {path}
        one more setting for {path}: {key} is {value}
        extend {path} by {key}, value {value}
        {path} should also have {key} set to {value}
        (insert|include) a key {key} in {path}, its value is {value}
        there is no {key} in {path} yet, add it with {value}
        I need {key} in {path} too, {value} for now
        let {path} have {key} as well: {value}
        introduce {key} as a setting in {path}, with {value}
        can you add {key} to {path}, set to {value}
        """,
        path=path,
        key=key,
        value=shown,
    )
    literal = str(value) if isinstance(value, bool) else json.dumps(value)
    yield program(f'print(read_file("{path}"))')
    result = yield program(_json_set(path, key, literal))
    yield answer(told(result, path, f"Set {key} to {shown} in {path}."))


@intent("doing", 2, alone=True)
def toml_to(project: Project, rng: Voice) -> Script:
    """Read first: which line it is stands in the file; then replace the line."""
    path, section, key = toml_setting(project, rng)
    old = project.toml[section][key]
    if isinstance(old, bool):
        new, was = str(not old).lower(), str(old).lower()
        written = new
    elif isinstance(old, int):
        new, was = str(names.number(rng)), str(old)
        written = new
    else:
        new, was = names.word(rng), f'"{old}"'
        written = f'"{new}"'
    before, after = f"{key} = {was}", f"{key} = {written}"
    if project.files[path].count(before) != 1 or before == after:
        raise Unsuitable
    forms = """
        set {key} in the section {section} of {path} to {new}
        {path}, section {section}: {key} = {new}
        {path}: {section}.{key} = {new}
        set {section}.{key} to {new} in {path}
        change {section}.{key} in {path} to {new}
        in {path}, under {section}, set {key} to {new}
        in {path} the {section} {key} should be {new}
        make {key} {new} under [{section}] in {path}
        the {key} of {section} is {new} now, update {path}
        [{section}] {key} should be {new} in {path}
        update {path}: the {key} of {section} becomes {new}
        we agreed on {new} as {key} for {section}, put it in {path}
        use {new} for {key} in the {section} part of {path}
        I want you to edit {path} so that {section} has the {key} {new}
        could you set {key} under {section} to {new} in {path}
        {path} has an old {key} for {section}; it is {new}
        give {section} the {key} {new} in {path}
        """
    if isinstance(old, bool):
        forms = """
        switch {key} of {section} {on} in {path}
        turn {on} {key} in the section {section} of {path}
        turn {section}.{key} {on} in {path}
        {path}: {key} of {section} {on}
        {able} {key} for {section} in {path}
        {able} {section}.{key} in {path}
        in {path}, {able} the {key} of {section}
        set {key} of {section} to {new} in {path}
        {section}.{key} must be {new} in {path}
        {path}, [{section}]: {key} = {new}
        make {key} {new} under {section}, the file is {path}
        {able} {key} under {section}, in {path}
        can you switch {section}.{key} {on} in {path}
        the {key} of {section} should be {on}, change {path}
        in {path} the {key} under {section} has to be {on}
        """
    elif isinstance(old, int) and int(new) != old:
        verb = rng.choice(["raise", "increase"] if int(new) > old else ["lower", "reduce"])
        forms += f"""{verb} the {{key}} of {{section}} in {{path}} to {{new}}
        {verb} {{section}}.{{key}} to {{new}} in {{path}}
        in {{path}}, {verb} the {{key}} of {{section}} to {{new}}
        """
    on = new == "true"
    yield ask(
        rng,
        forms,
        path=path,
        section=section,
        key=worded(rng, key),
        new=new,
        on="on" if on else "off",
        able="enable" if on else "disable",
    )
    yield program(f'print(read_file("{path}"))')
    result = yield program(
        f'text = read_file("{path}").replace({quoted(before)}, {quoted(after)})\nprint(write_file("{path}", text))'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so nothing was changed.")
    else:
        yield answer(f"The {key} of {section} in {path} is {written} now; it was {was}.")


_VERSION = (
    'for line in read_file("pyproject.toml").splitlines():\n    if line.startswith("version"):\n        print(line)'
)


def _version(was: str, new: str) -> str:
    return (
        'text = read_file("pyproject.toml")\n'
        f"text = text.replace('version = \"{was}\"', 'version = \"{new}\"')\n"
        'print(write_file("pyproject.toml", text))'
    )


def _told_version(refusal: bool, was: str, new: str) -> str:
    if refusal:
        return f"The change to pyproject.toml was refused; the version is still {was}."
    return f"The version in pyproject.toml is {new} now; it was {was}."


@intent("doing", 1.2, alone=True)
def version_to(project: Project, rng: Voice) -> Script:
    was = project.files["pyproject.toml"].split('version = "')[1].split('"')[0]
    major, minor, patch = (int(part) for part in was.split("."))
    new = rng.choice([f"{major + 1}.0.0", f"{major}.{minor + 1}.0", f"{major}.{minor}.{patch + 1}"])
    yield ask(
        rng,
        """
        version {new}
        bump to {new}
        bump the version to {new}
        set version to {new} in pyproject.toml
        pyproject.toml: version {new}
        pyproject.toml needs version {new}
        the version should be {new}
        we release {new} today, set the version
        change the project version to {new}
        put {new} as the version in pyproject.toml
        update the version number to {new}(| please)
        make {new} the version of this (package|project)
        new version: {new}
        I want you to raise the version to {new} in pyproject.toml
        prepare release {new}, just the version in pyproject.toml
        can you set the package version to {new}
        in pyproject.toml, the version must read {new}
        next release is {new}, bump it
        verison {new} in pyproject.toml
        pyproject version -> {new}
        """,
        new=new,
    )
    result = yield program(_VERSION)
    if f'"{was}"' not in result.text:
        raise Unsuitable
    result = yield program(_version(was, new))
    yield answer(_told_version(refused(result), was, new))


@intent("doing", 1.2, alone=True)
def version_step(project: Project, rng: Voice) -> Script:
    """Which number it is now stands in the file."""
    was = project.files["pyproject.toml"].split('version = "')[1].split('"')[0]
    major, minor, patch = (int(part) for part in was.split("."))
    part, new = rng.choice(
        [("major", f"{major + 1}.0.0"), ("minor", f"{major}.{minor + 1}.0"), ("patch", f"{major}.{minor}.{patch + 1}")]
    )
    yield ask(
        rng,
        """
        bump {part}
        bump the {part} version
        bump the {part} version in pyproject.toml
        {part} release: raise the version
        raise the {part} number of the version by one
        pyproject.toml: next {part} version
        set pyproject.toml to the next {part} version
        increase the {part} version(| please)
        make it a {part} release, change the version
        we need a new {part} version in pyproject.toml
        the next {part} version, please, in pyproject.toml
        can you bump the version, {part}
        version bump, {part}
        go to the next {part} version
        {part} bump for pyproject.toml
        update the version for a {part} release
        """,
        part=part,
    )
    result = yield program(_VERSION)
    if f'"{was}"' not in result.text:
        raise Unsuitable
    result = yield program(_version(was, new))
    yield answer(_told_version(refused(result), was, new))
