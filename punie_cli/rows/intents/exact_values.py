"""Values that change because somebody says how it is to be: read first, then the exact line, then the line printed.

`2.0.0 is next`, `no more X`, `from now on Y` are requests to write, though no word says so.
"""

from random import Random

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.project import Project
from punie_cli.rows.values import Value, values_of, versions_of


def _changed(path: str, old: str, new: str) -> Message:
    """The change of one line; what stands there afterwards is printed."""
    return program(
        f'text = read_file("{path}").replace({quoted(old)}, {quoted(new)})\nwrite_file("{path}", text)\n'
        f'for line in read_file("{path}").splitlines():\n    if {quoted(new)} in line:\n        print(line)'
    )


def _end(result: Message, path: str, new: str, done: str, was: str) -> Message:
    if refused(result):
        return answer(f"The change to {path} was refused; {was}.")
    if new not in result.text:
        raise Unsuitable
    return answer(done)


def _next(rng: Random, old: str) -> str:
    major, minor, patch = (int(part) for part in old.split("."))
    step = rng.choice([1, 1, 1, 2])
    return rng.choice(
        [
            f"{major + step}.0.0",
            f"{major}.{minor + step}.0",
            f"{major}.{minor}.{patch + step}",
            f"{major}.{minor + 1}.1",
        ]
    )


def _version(path: str, line: str, old: str, new: str) -> Script:
    first = "version" if path == "pyproject.toml" else ""
    if first:
        result = yield program(
            f'for line in read_file("{path}").splitlines():\n    if line.startswith("version"):\n        print(line)'
        )
    else:
        result = yield program(f'print(read_file("{path}"))')
    if line not in result.text:
        raise Unsuitable
    right = line.replace(old, new)
    result = yield _changed(path, line, right)
    yield _end(result, path, right, f"The version in {path} is {new} now; it was {old}.", f"the version is still {old}")


@intent("exact", 2.2, alone=True)
def exact_version(project: Project, rng: Voice) -> Script:
    """No file is named, so it is that of the project."""
    path, line, old = next(found for found in versions_of(project) if found[0] == "pyproject.toml")
    new = _next(rng, old)
    yield ask(
        rng,
        """
        {new} is next
        {new} (it is|is it)
        {new} is (out|up) next, (set it|change it|adjust the project)
        (we are|we're) going to {new}
        (release|ship|cut|tag) {new}(|: the version first), (just|only) the number
        release {new}
        (prepare|get ready for) {new}: version number
        time for {new}
        next version: {new}, (write it down|set it|enter it)
        version goes (up|) to {new}
        move (the project|us) (to|on to) {new}
        this will be {new}, (bump|bump it|change the number)
        bump our version: {new}
        bump (it|version|to version) {new}
        set (the|our|project) version (to|=) {new}
        raise the version to {new} (for the release|before I tag it|today|)
        (make|call) this {new} (from now on|)
        from now on we are {new}
        we ship {new} (tomorrow|today|on Monday), bump it
        I tag {new} in a minute, so the version must say so
        before I publish: version {new}
        the release is called {new}, the project still has the old number
        version number should now be {new}
        our next release will be {new}; make the project say so
        the version is out of date, it is {new}
        lift the version to {new}
        the project is at version {new} now, (set|change|write) that
        (change|adjust|edit) the version number: {new}
        let's call it {new}
        """,
        new=new,
    )
    yield from _version(path, line, old, new)


@intent("exact", 2.2, alone=True)
def exact_version_in(project: Project, rng: Voice) -> Script:
    found = versions_of(project)
    others = [one for one in found if one[0] != "pyproject.toml"]
    path, line, old = rng.choice(others if others and rng.random() < 0.75 else found)
    new = _next(rng, old)
    yield ask(
        rng,
        """
        {path}: {new} is next
        {new} in {path}
        {path}: version {new}
        {path} version {new}
        bump {path} to {new}
        bump the version to {new} in {path}
        bump the version in {path} to {new}
        set (the|its|our) version in {path} to {new}
        set the version (of|in) {path}: {new}
        the version in {path} (must|has to|should) be {new}
        release {new}, the number is in {path}
        release {new}: {path} (needs|gets|must have) the new version
        {path} still has the old version. it is {new}
        (raise|lift|move) the version in {path} to {new}
        we (ship|publish|release) {new} today, change {path}
        version {new} from now on, see {path}
        {new} is the next release, put it in {path}
        let {path} say {new} as version
        update {path} for {new}
        update {path} for release {new}
        change the version string in {path} to {new}
        make {path} say version {new}
        I need version {new} in {path}
        I forgot {path}, its version is also {new}
        for the release: {path} with version {new}
        {path} says the wrong version, {new} is right
        as of today {path} is at version {new}
        write {new} as the version in {path}
        """,
        path=path,
        new=new,
    )
    yield from _version(path, line, old, new)


def _drawn(project: Project, rng: Voice, kind: str) -> Value:
    found = [value for value in values_of(project) if value.kind == kind]
    # One file each, or the long one would be asked about most.
    paths = sorted({value.path for value in found})
    if not paths:
        raise Unsuitable
    path = rng.choice(paths)
    return rng.choice([value for value in found if value.path == path])


def _worded(rng: Voice, key: str) -> str:
    return key.replace("_", " ").lower() if rng.random() < 0.5 else key


def _set(project: Project, value: Value, new: str) -> Script:
    """Read, then the line."""
    path, right = value.path, value.to(new)
    if right == value.line or right in project.files[path]:
        raise Unsuitable
    result = yield program(f'print(read_file("{path}"))')
    if value.line not in result.text:
        raise Unsuitable
    result = yield _changed(path, value.line, right)
    old = value.value.strip('"')
    yield _end(result, path, right, f"{value.key} in {path} is {new} now; it was {old}.", f"{value.key} is still {old}")


_RAISE = """
    raise {key} in {path} to {new}
    {key} in {path} is too low, make it {new}
    {path}: {key} up to {new}
    {new} for {key}, it is too small in {path}
    we need a higher {key} in {path}: {new}
    allow {new} as {key} in {path}
    the {key} in {path} is not enough, {new} would be
    {key} goes up to {new}, {path}
    up the {key} in {path} to {new}
    lift {key} to {new}, in {path}
    increase {key} to {new}. it is in {path}
    we keep hitting {key} in {path}. {new} please
    {path} is too strict: {key} should be {new}
    let {key} in {path} go up to {new}
    bump {key} in {path} up to {new}
    more room in {path}: {key} {new}
"""
_LOWER = """
    lower {key} in {path} to {new}
    {key} in {path} is too high, make it {new}
    {path}: {key} down to {new}
    {new} for {key}, it is too big in {path}
    we need a smaller {key} in {path}: {new}
    {key} must not be more than {new}, change {path}
    the {key} in {path} is too much, {new} is plenty
    {key} goes down to {new}, {path}
    cut {key} in {path} to {new}
    drop {key} to {new}, in {path}
    reduce {key} to {new}. it is in {path}
    no more than {new} for {key} in {path}
    {path} is too generous: {key} should be {new}
    only {new} as {key} in {path} (from now on|)
    bring {key} in {path} down to {new}
    less, please: {key} {new} in {path}
"""


@intent("exact", 2, alone=True)
def exact_limit(project: Project, rng: Voice) -> Script:
    value = _drawn(project, rng, "number")
    new, old = names.number(rng), int(value.value)
    if new == old:
        raise Unsuitable
    forms = _RAISE if new > old else _LOWER
    yield ask(rng, forms, path=value.path, key=_worded(rng, value.key), new=new)
    yield from _set(project, value, str(new))


_OFF = """
    no more {key} in {path}
    {key} off, {path}
    {path}: no {key} (any more|please|from now on|)
    switch it off: {key} in {path}
    {key} in {path}: switch it off
    we (don't|do not) want {key} any longer, it's in {path}
    I'm tired of {key}. it is on in {path}, switch it off
    {key} is on in {path} and shouldn't be
    stop {key}, {path} has the switch
    {path} should not have {key} on
    {key} (annoys|bothers) everyone, turn it off in {path}
    from now on without {key}, {path}
    {key} must be off in {path}
    nobody needs {key} in {path}, off with it
    kill {key} in {path}
    let's do without {key}, change {path}
    {key} is no longer wanted, see {path}
    (disable|deactivate) {key}, which is on in {path}
"""
_ON = """
    {key} on, {path}
    {path}: with {key} from now on
    switch it on: {key} in {path}
    {key} in {path}: switch it on
    we want {key} after all, it's in {path}
    {key} is off in {path} and shouldn't be
    start using {key}, {path} has the switch
    {path} should have {key} on
    we miss {key}, turn it on in {path}
    from now on with {key}, {path}
    {key} must be on in {path}
    everyone asks for {key} in {path}, let them have it
    bring back {key} in {path}
    let's try {key}, change {path}
    {key} is wanted again, see {path}
    (enable|activate) {key}, which is off in {path}
    it is time for {key}: turn it on, file {path}
"""


@intent("exact", 2, alone=True)
def exact_switch(project: Project, rng: Voice) -> Script:
    value = _drawn(project, rng, "switch")
    yield ask(rng, _OFF if value.on else _ON, path=value.path, key=_worded(rng, value.key))
    yield from _set(project, value, value.flipped)


@intent("exact", 1.6, alone=True)
def exact_from_now_on(project: Project, rng: Voice) -> Script:
    value = _drawn(project, rng, rng.choice(["text", "text", "number"]))
    new = str(names.number(rng)) if value.kind == "number" else names.word(rng)
    yield ask(
        rng,
        """
        from now on {new} as {key} in {path}
        {key} is {new} from now on, {path}
        {path}: {key} is {new} (now|from today|from now on)
        the new {key} in {path} is {new}
        we (use|take|have) {new} as {key} now, {path} does not say so yet
        the {key} has changed to {new}, {path} has the old one
        {key} in {path} is out of date: {new}
        as {key} in {path} I prefer {new}
        {path} should go with {new} for {key}
        it's {new} now, the {key} in {path}
        instead of what {path} has as {key}: {new}
        {path} has the wrong {key}. {new} is right
        let the {key} in {path} be {new}
        our {key} is {new} these days, (adjust|correct) {path}
        as of today: {key} {new} in {path}
        (for|about) {key} in {path}, we agreed on {new}
        with the {key} {new} it would work, {path}
        I'd rather have {new} for {key} in {path}
        {key} {new} in {path}, no longer the old one
        """,
        path=value.path,
        key=_worded(rng, value.key),
        new=new,
    )
    yield from _set(project, value, new)


@intent("exact", 0.7, alone=True)
def exact_not_there(project: Project, rng: Voice) -> Script:
    """A key that the file does not have: it is read, and nothing is written."""
    value = _drawn(project, rng, rng.choice(["switch", "number"]))
    key = f"{names.word(rng)}_{rng.choice(['budget', 'window', 'quota', 'delay', 'size'])}"
    if key in project.files[value.path].lower():
        raise Unsuitable
    yield ask(
        rng,
        """
        raise {key} in {path} to {new}
        lower {key} in {path} to {new}
        {key} in {path} goes up to {new}
        {path}: change {key} to {new}
        {path}: {key} is {new} from now on
        from now on {new} as {key} in {path}
        {key} in {path} is too low, make it {new}
        the {key} in {path} has changed to {new}
        {key} in {path} is out of date: {new}
        reduce {key} to {new}. it is in {path}
        increase {key} to {new}, file {path}
        bump {key} in {path} up to {new}
        {path} has the wrong {key}. {new} is right
        cut {key} in {path} to {new}
        """,
        path=value.path,
        key=_worded(rng, key),
        new=names.number(rng),
    )
    result = yield program(f'print(read_file("{value.path}"))')
    if result.error:
        raise Unsuitable
    yield answer(f"There is no {key} in {value.path}, so I changed nothing.")
