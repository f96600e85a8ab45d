"""Texts that are copied whole: at the end, at the top, after or before a line, as a new file, in place of a line.

Nothing of a text is left out or mended, however long or odd it is.
"""

from punie_cli.agent.messages import Message, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, intent, quoted
from punie_cli.rows.intents.doing_files import line as plain_line
from punie_cli.rows.intents.doing_files import made, new_file
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.intents.writes import told
from punie_cli.rows.oddities import framed, odd_line, odd_row
from punie_cli.rows.project import Project

_TEXTS = (".txt", ".md", ".csv")


def _line(rng: Voice, project: Project | None = None, path: str = "") -> str:
    """A line, for a table a row of it."""
    if project and path.endswith(".csv"):
        text = odd_row(rng, project.files[path].splitlines()[0].split(","))
    else:
        text = odd_line(rng) if rng.random() < 0.85 else plain_line(rng)
    # With a mark at both ends nobody could say whether the marks belong to it.
    return text if text[0] != text[-1] else _line(rng, project, path)


def _file(project: Project, rng: Voice) -> str:
    return rng.choice(sorted(path for path, text in project.files.items() if path.endswith(_TEXTS) and text))


def place(project: Project, rng: Voice) -> tuple[str, str]:
    """A file and a whole line of it that stands there once and is no part of another."""
    path = _file(project, rng)
    text = project.files[path]
    lines = [
        line for line in text.splitlines() if len(line) > 3 and text.count(line) == 1 and line == line.strip()
    ]  # fmt: skip
    if not lines:
        raise Unsuitable
    return path, rng.choice(lines)


def replaced(path: str, old: str, new: str) -> Message:
    """The program that puts one text in place of another."""
    return program(
        f'text = read_file("{path}")\ntext = text.replace({quoted(old)}, {quoted(new)})\n'
        f'print(write_file("{path}", text))'
    )


def appended(path: str, text: str) -> Message:
    """The program that puts a line or lines at the end of a file."""
    return program(f'text = read_file("{path}")\nprint(write_file("{path}", text + {quoted(text + chr(10))}))')


@intent("exact", 2.4)
def exact_append(project: Project, rng: Voice) -> Script:
    path = _file(project, rng)
    text = _line(rng, project, path)
    yield ask(
        rng,
        """
        append {shown} to {path}
        append {shown} as the last line of {path}
        append to {path} exactly: {text}
        tack {shown} on at the end of {path}
        {path}: add at the end: {text}
        (add|put) this as last line of {path}: {text}
        {shown} should be the (final|last|closing) line of {path}
        (new|one more) line at the (end|bottom|foot) of {path}: {text}
        in {path}, below everything: {text}
        the following goes at the end of {path}, (character by character|unchanged|as it stands): {text}
        let {path} end with {shown}
        make {shown} the last line in {path}
        (stick|put|drop) {shown} at the bottom of {path}
        for the record, in {path}, last line: {text}
        I forgot something in {path}. append {shown}
        before I (forget|leave): a line for {path}, {shown}
        {path} lacks its last line, which is {shown}
        extend {path}, new final line: {text}
        {path} gets {shown} as its last line
        (log|record|note) {shown} in {path}, at the end
        echo {shown} >> {path}
        appnd {shown} to {path}
        the end of {path} needs this line: {text}
        >> {path}: {text}
        keep {path} as it is but add {shown} underneath
        after the last line of {path} comes {shown}. (add it|put it there)
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
    )
    result = yield appended(path, text)
    yield answer(told(result, path, f"Added the line to {path}."))


@intent("exact", 2)
def exact_row(project: Project, rng: Voice) -> Script:
    if not project.table or not project.files.get(project.table_file):
        raise Unsuitable
    path = project.table_file
    text = odd_row(rng, project.table[0] + ["", "", ""] * (rng.random() < 0.4))
    yield ask(
        rng,
        """
        append {shown} to {path}
        append {shown} as last line of {path}
        new record for {path}: {text}
        {path}, new row: {text}
        one more entry in {path}: {text}
        (add|enter) this (measurement|record|entry) in {path}: {text}
        (add|append) `{text}` to {path}
        the row {shown} is missing in {path}, append it
        {path} += {text}
        put {shown} below the other rows of {path}
        today's row for {path}: {text}
        csv line for {path}: {text}
        (log|book|register) {shown} in {path}
        last row of {path} is going to be {text}
        I measured again. append to {path}: {text}
        as a new last row in {path}: {text}
        write {shown} under the last row of {path}
        let {path} have the row {shown} too
        for {path}, at the end, all of it: {text}
        a row came in late. {path} gets {shown}
        take up {shown} in {path}, as the last row
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
    )
    result = yield appended(path, text)
    yield answer(told(result, path, f"Added the row to {path}."))


@intent("exact", 1.6)
def exact_after(project: Project, rng: Voice) -> Script:
    path, old = place(project, rng)
    text = _line(rng, project, path)
    yield ask(
        rng,
        """
        after the line {old} in {path} insert {shown}
        in {path}, after {old}, (add|insert|put): {text}
        insert {shown} after {old} in {path}
        (insert|add) a line in {path} right after {old}: {text}
        {path}: below {old} comes {shown}
        (directly|right|immediately) below {old} in {path}: {text}
        {path}, next line after {old}: {text}
        put {shown} under {old} in {path}
        {shown} belongs (below|under|behind) the line {old} in {path}
        find {old} in {path} and put this below it: {text}
        the line after {old} in {path} should be {shown}, keep the others
        {old} in {path} is to be followed by {shown}
        between {old} and what follows it in {path}, add {text}
        let {shown} follow {old} in {path}
        I need one line more in {path}, under {old}: {text}
        squeeze {shown} in after {old}, file {path}
        add to {path}, underneath {old}: {text}
        {path} | after {old} | {text}
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
        old=framed(rng, old),
    )
    result = yield replaced(path, f"{old}\n", f"{old}\n{text}\n")
    yield answer(told(result, path, f"Inserted the line in {path}."))


@intent("exact", 1.4)
def exact_before(project: Project, rng: Voice) -> Script:
    path, old = place(project, rng)
    text = _line(rng, project, path)
    yield ask(
        rng,
        """
        before the line {old} in {path} insert {shown}
        in {path}, before {old}, (add|insert|put): {text}
        insert {shown} before {old} in {path}
        (insert|add) a line in {path} right before {old}: {text}
        {path}: above {old} comes {shown}
        (directly|right|immediately) above {old} in {path}: {text}
        put {shown} over {old} in {path}
        {shown} belongs (above|before|in front of) the line {old} in {path}
        find {old} in {path} and put this above it: {text}
        the line before {old} in {path} should be {shown}, keep the others
        {old} in {path} is to be preceded by {shown}
        {path} needs a line ahead of {old}: {text}
        I want {shown} to stand on top of {old} in {path}
        squeeze {shown} in before {old}, file {path}
        add to {path}, above {old}: {text}
        {path} | before {old} | {text}
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
        old=framed(rng, old),
    )
    result = yield replaced(path, f"{old}\n", f"{text}\n{old}\n")
    yield answer(told(result, path, f"Inserted the line in {path}."))


@intent("exact", 1.3)
def exact_top(project: Project, rng: Voice) -> Script:
    path = _file(project, rng)
    text = _line(rng, project, path)
    yield ask(
        rng,
        """
        prepend {shown} to {path}
        prepend to {path}: {text}
        {path}, first line: {text}
        put {shown} at the (top|head|beginning|start) of {path}
        {shown} should be the first line of {path}, the rest moves down
        (new|one more) line at the top of {path}: {text}
        insert at the very beginning of {path}: {text}
        start {path} with {shown}, keep what is there
        above everything else in {path}: {text}
        {path} should begin with {shown}, then what it has now
        add this on top of {path}: {text}
        make {shown} the new first line of {path}
        in front of all lines of {path} goes {shown}
        {path} lacks its headline. put in {shown}
        top of {path}: add {text}
        line 1 of {path} is to be {shown}; the old lines stay below it
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
    )
    result = yield program(f'text = read_file("{path}")\nprint(write_file("{path}", {quoted(text + chr(10))} + text))')
    yield answer(told(result, path, f"Added the line at the top of {path}."))


@intent("exact", 2.2)
def exact_new(project: Project, rng: Voice) -> Script:
    path, text = new_file(project, rng), _line(rng)
    yield ask(
        rng,
        """
        {path} with {shown}
        {path} <- {shown}
        (create|make|write|start) {path} with exactly {shown}
        new file {path}, one line, copied exactly: {text}
        {path} (must|has to|should) read exactly: {text}
        (save|store|keep) {shown} as {path}
        (dump|drop|put) {shown} in a new file called {path}
        {path} does not exist. make it, with the text {shown}
        verbatim into {path}: {text}
        write {path}. the content (character by character|without changes): {text}
        I want a file {path}, its only line is {shown}
        set up {path} holding {shown}
        let there be a {path} that says {shown}
        a file called {path} with one line in it: {text}
        file {path}, text {shown}
        (paste|write) this into {path}, a new file: {text}
        for later, in {path}: {text}
        file name {path}, content: {text}
        put {shown} there: {path}
        produce {path}; nothing in it but {shown}
        I was told to leave a note in {path}: {text}
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
    )
    result = yield program(f'print(write_file("{path}", {quoted(text + chr(10))}))')
    yield made(result, path, f"Created {path}.")


@intent("exact", 1.8)
def exact_line(project: Project, rng: Voice) -> Script:
    path, old = place(project, rng)
    text = _line(rng, project, path)
    yield ask(
        rng,
        """
        replace the line {old} in {path} with {shown}
        replace {old} in {path} by {shown}
        in {path} the line {old} becomes {shown}
        {path}: {old} -> {shown}
        change the line {old} of {path} into: {text}
        {old} in {path} should (read|be|say) {shown}
        {path} still says {old}, it has to be {shown}
        {shown} instead of {old} in {path}
        swap the line {old} in {path} for {shown}
        take out {old} in {path}, put in {shown}
        rewrite the line {old} in {path} as {shown}
        {old} (is wrong|is out of date|has changed). in {path} it must be: {text}
        in {path}, where it says {old}, write exactly: {text}
        (overwrite|exchange) {old} in {path} with: {text}
        the line {old} of {path} is now: {text}
        no longer {old} but {shown} in {path}
        update {path}. old line: {old}. new line: {text}
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
        old=framed(rng, old),
    )
    result = yield replaced(path, old, text)
    yield answer(told(result, path, f"Replaced the line in {path}."))


@intent("exact", 1.2)
def exact_line_number(project: Project, rng: Voice) -> Script:
    path = _file(project, rng)
    text = _line(rng, project, path)
    lines = project.files[path].count("\n")
    places = [("the last line", -1), ("the first line", 0), *((f"line {n}", n - 1) for n in range(2, 6))]
    which, index = rng.choice(places)
    if index >= lines or lines < 2:
        raise Unsuitable
    yield ask(
        rng,
        """
        {which} of {path} should read: {text}
        {path}, {which}: make it {shown}
        replace {which} of {path} with {shown}
        change {which} in {path} to: {text}
        set {which} of {path} to {shown}
        {which} of {path} becomes {shown}
        in {path}, {which} must be {shown}
        overwrite {which} of {path} with: {text}
        I want {shown} as {which} of {path}, the others stay
        put {shown} in place of {which} of {path}
        {path} is wrong in {which}: write {shown} there
        rewrite {which} of {path}, new text: {text}
        {which} in {path} is out of date, it is now: {text}
        let {which} of {path} say {shown}
        edit {which} of {path}; {shown} is right
        """,
        path=path,
        text=text,
        shown=framed(rng, text),
        which=which,
    )
    result = yield program(
        f'lines = read_file("{path}").splitlines()\nlines[{index}] = {quoted(text)}\n'
        f'print(write_file("{path}", "\\n".join(lines) + "\\n"))'
    )
    if refused(result):
        yield answer(f"The change to {path} was refused, so {which} is as it was.")
    else:
        yield answer(told(result, path, f"Replaced {which} of {path}."))
