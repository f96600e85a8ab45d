"""Several lines that are copied whole, with their indents: code, JSON, lists, tables, between fences or not."""

from punie_cli.agent.messages import answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent, quoted
from punie_cli.rows.intents.doing_files import made
from punie_cli.rows.intents.exact import appended, place, replaced
from punie_cli.rows.intents.writes import told
from punie_cli.rows.oddities import framed, odd_block
from punie_cli.rows.project import Project


def _new_block(project: Project, rng: Voice) -> tuple[str, str, str]:
    """A path, its ending and lines for it."""
    ending = rng.choice(["txt", "txt", "md", "md", "json", "json", "py", "py", "ini", "toml", "cfg", "sh"])
    folder = rng.choice(["", "", f"{rng.choice(['docs', 'data', 'tools', names.word(rng)])}/"])
    path = f"{folder}{names.stem(rng).replace('-', '_' if ending == 'py' else '-')}.{ending}"
    if path in project.files:
        raise Unsuitable
    return path, ending, odd_block(rng, ending)


def _fenced(rng: Voice, text: str, ending: str) -> str:
    """Lines as they follow a colon: as they are, or between fences."""
    if rng.random() < 0.55:
        return f"\n{text}"
    language = {"py": "python", "json": "json", "sh": "sh", "toml": "toml", "ini": "ini"}.get(ending, "")
    return f"\n```{language if rng.random() < 0.7 else ''}\n{text}\n```"


@intent("exact", 2)
def exact_block(project: Project, rng: Voice) -> Script:
    path, ending, text = _new_block(project, rng)
    yield ask(
        rng,
        """
        {path}:{block}
        create {path}:{block}
        (create|make|write|add) {path} with this content:{block}
        (save|store|keep) this as {path}:{block}
        new file {path}, exactly these lines:{block}
        put the following (text|lines) into {path}:{block}
        {path} should contain, line by line:{block}
        write {path}, indents as here:{block}
        here is what {path} must look like:{block}
        I need {path} with exactly this in it:{block}
        the new {path} is this, (copy it as it is|change nothing):{block}
        paste this into a new file {path}:{block}
        (create|set up) the file {path} from this:{block}
        make a file named {path}. content:{block}
        {path} (is missing|got lost), it had this in it, write it again:{block}
        (a colleague|someone) sent me {path}. save it, it reads:{block}
        let {path} be{block}
        """,
        path=path,
        text=text,
        block=_fenced(rng, text, ending),
    )
    result = yield program(f'print(write_file("{path}", {quoted(text + chr(10))}))')
    yield made(result, path, f"Created {path} with {count(len(text.splitlines()), 'line')}.")


@intent("exact", 1.5)
def exact_append_block(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p in project.files if p.endswith((".txt", ".md"))))
    text = odd_block(rng, path.rpartition(".")[2])
    yield ask(
        rng,
        """
        append to {path}:{block}
        {path}, at the end:{block}
        (append|add) these lines to {path}:{block}
        add this at the (end|bottom|foot) of {path}:{block}
        put the following (below|under) what is in {path}:{block}
        extend {path} by these lines, as they are:{block}
        {path} needs this at its end, indents included:{block}
        at the bottom of {path}, all of this:{block}
        paste this at the end of {path}:{block}
        keep {path}, and below it add{block}
        more text for {path}:{block}
        the last lines of {path} should be the following, add them:{block}
        I have more for {path}, put it last:{block}
        let {path} go on with{block}
        new section at the end of {path}:{block}
        """,
        path=path,
        text=text,
        block=_fenced(rng, text, ""),
    )
    result = yield appended(path, text)
    yield answer(told(result, path, f"Added {count(len(text.splitlines()), 'line')} to {path}."))


@intent("exact", 1.1)
def exact_after_block(project: Project, rng: Voice) -> Script:
    path, old = place(project, rng)
    if path.endswith(".csv"):
        raise Unsuitable
    text = odd_block(rng, path.rpartition(".")[2])
    yield ask(
        rng,
        """
        after {old} in {path} insert:{block}
        in {path}, below the line {old}, add:{block}
        {path}: under {old} comes this:{block}
        (insert|put|paste) these lines into {path} right after {old}:{block}
        {path}, section {old}: first thing below it should be{block}
        directly under {old} in {path}, unchanged:{block}
        find {old} in {path} and add below it:{block}
        the lines after {old} in {path} should be these, the others follow:{block}
        put the following between {old} and what comes after it in {path}:{block}
        I have some lines for {path}. they go under {old}:{block}
        let {old} in {path} be followed by{block}
        more text for {path}, right below {old}:{block}
        add this to {path}, not at the end but after {old}:{block}
        under the line {old} of {path} write{block}
        insert into {path} after {old} exactly this:{block}
        """,
        path=path,
        text=text,
        old=framed(rng, old),
        block=_fenced(rng, text, ""),
    )
    result = yield replaced(path, f"{old}\n", f"{old}\n{text}\n")
    yield answer(told(result, path, f"Inserted {count(len(text.splitlines()), 'line')} in {path}."))
