"""A command that stands in the question is run as it stands there; of what it gives, what was asked is told."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows import names
from punie_cli.rows.intents import Script, Unsuitable, Voice, count, intent, listed, quoted
from punie_cli.rows.intents.paths import absent, refused
from punie_cli.rows.intents.wholes import about
from punie_cli.rows.project import Project


def _file(project: Project, rng: Voice) -> str:
    return rng.choice(sorted(path for path, text in project.files.items() if text))


def _command(project: Project, rng: Voice) -> str:
    """A command that prints the same on any disk, which find and grep -r do not, and ends at once."""
    path, n, word = _file(project, rng), rng.randint(1, 9), names.word(rng)
    folder = path.rpartition("/")[0] or project.package
    kinds = [
        f"wc -l {path}", f"wc -c {path} {_file(project, rng)}", f"head -n {n} {path}", f"tail -n {n} {path}",
        f"grep -c {rng.choice(['def', 'import', word])} {path}", f"grep -n {rng.choice(['def', word])} {path}",
        f"grep -l {rng.choice(['import', 'def', word])} {path}", f"ls {folder}", f"ls {absent(project, rng)}",
        f"cat {path}", f"sort {path}", f"ls -1 {folder}", f"cat {absent(project, rng)}",
        f"test -f {path}", f"test -d {path}", f"python3 -c 'print({n * 7})'", f"python3 -c 'raise SystemExit({n})'",
        f"sh -c 'exit {n}'", f"sh -c 'echo {word}; exit {n}'", f"sh -c 'echo {word} >&2'", f"echo {word} {n}",
        f"sh -c 'echo {word}; echo {names.word(rng)} >&2'", f"seq {n}", f"expr {n} + {n * 3}",
    ]  # fmt: skip
    kinds += [f"python3 {project.script}"] * 5 if project.script else []
    return rng.choice(kinds)


def _shown(rng: Voice, command: str) -> str:
    """The command as people set it off from their words."""
    return rng.choice(["`{}`", "`{}`", "`{}`", '"{}"', "the command `{}`"]).format(command)


@intent("whole", 4)
def whole_exit_code(project: Project, rng: Voice) -> Script:
    command = _command(project, rng)
    yield about(
        rng,
        """
        exit code of {command}
        what is the exit code of {command}
        which exit code does {command} give
        run {command} and tell me the exit code
        run {command}, what does it exit with
        execute {command}: exit status?
        try {command} and give me only its exit code
        {command}: exit code
        {command} - what status does it return
        with what code does {command} end
        how does {command} exit, as a number
        status code after {command}
        I need the return code of {command}
        what does $? say after {command}
        our hook runs {command}. what exit code is that
        start {command}, report the exit code
        let {command} run and look at its exit code
        return code when I do {command}
        """,
        command=_shown(rng, command),
    )
    result = yield program(f"print(run_command({quoted(command)}).exit_code)")
    if refused(result):
        yield answer(f"Running `{command}` was refused, so I do not know its exit code.")
    elif result.error:
        raise Unsuitable
    else:
        yield answer(f"The exit code of `{command}` is {result.text.strip()}.")


@intent("whole", 2)
def whole_succeeds(project: Project, rng: Voice) -> Script:
    command = _command(project, rng)
    yield about(
        rng,
        """
        does {command} succeed
        does {command} work
        does {command} work here
        does {command} go through
        does {command} end well
        does {command} exit with 0
        is {command} successful
        did {command} pass when you run it
        will {command} do, or does it fail
        run {command}, did it succeed
        run {command} and say whether it worked
        try {command}, is it ok
        check whether {command} succeeds
        tell me if {command} succeeds
        (yes or no|yes/no): {command} works
        is there a problem with {command}? success or not
        """,
        command=_shown(rng, command),
    )
    result = yield program(f"result = run_command({quoted(command)})\nprint(result.success, result.exit_code)")
    if refused(result):
        yield answer(f"Running `{command}` was refused, so I do not know whether it works.")
    elif result.error:
        raise Unsuitable
    elif result.text.startswith("True"):
        yield answer(f"Yes, `{command}` succeeds with exit code 0.")
    else:
        yield answer(f"No, `{command}` fails with exit code {result.text.split()[1]}.")


@intent("whole", 4)
def whole_stream(project: Project, rng: Voice) -> Script:
    """One stream of a command, or the lines of it, or of both."""
    command = _command(project, rng)
    stream, said = rng.choice(
        [("stdout", "stdout"), ("stdout", "standard output"), ("stderr", "stderr"), ("stderr", "standard error")]
    )
    kind = rng.choice(["text", "lines", "lines", "both"])
    forms = {
        "text": """
            what does {command} print on {said}
            what does {command} write to {said}
            what is on {said} after {command}
            run {command} and show only {said}
            run {command}, {said} only
            {said} of {command}
            {command}: {said} please
            give me the {said} of {command}
            show me what {command} puts on {said}
            which text does {command} leave on {said}
            I want {said} of {command} and nothing else
            execute {command} and print its {said}
            just the {said}: {command}
            only {said} from {command}
            print {said} of {command}
        """,
        "lines": """
            how many lines does {command} print on {said}
            how many lines does {command} write to {said}
            how many lines of {said} does {command} give
            how many lines are on {said} after {command}
            run {command} and count the lines on {said}
            run {command}: number of {said} lines
            number of lines {command} sends to {said}
            lines of {said} from {command}
            {command}: how many lines of {said}
            count the {said} lines of {command}
            {said} line count of {command}
            tell me how many lines {command} puts on {said}
            I need the line count of {said} for {command}
            what number of lines comes out of {command} on {said}
            do {command} and count what lands on {said}, in lines
        """,
        "both": """
            how many lines does {command} print on stdout and how many on stderr
            how many lines of stdout and of stderr does {command} give
            run {command} and count the lines on stdout and stderr
            run {command}: lines on stdout, lines on stderr
            lines on stdout and on stderr for {command}
            {command}: stdout lines and stderr lines
            stdout vs stderr of {command}, in lines
            count stdout and stderr lines of {command}
            stdout and stderr line counts of {command}
            tell me how many lines {command} puts on each stream
            line counts of both streams, {command}
            compare stdout and stderr of {command} by lines
            I need two numbers for {command}: lines of stdout, lines of stderr
            execute {command}, how much on stdout and on stderr, lines
            do {command} and count lines for stdout and for stderr
        """,
    }[kind]
    yield about(rng, forms, command=_shown(rng, command), said=said)
    run = f"run_command({quoted(command)})"
    code = {
        "text": f"print({run}.{stream})",
        "lines": f"print(len({run}.{stream}.splitlines()))",
        "both": f"result = {run}\nprint(len(result.stdout.splitlines()), len(result.stderr.splitlines()))",
    }[kind]
    result = yield program(code)
    if refused(result):
        yield answer(f"Running `{command}` was refused, so I do not know what it prints.")
    elif result.error:
        raise Unsuitable
    elif kind == "both":
        out, err = (count(int(part), "line") for part in result.text.split())
        yield answer(f"`{command}` prints {out} on stdout and {err} on stderr.")
    elif kind == "lines":
        yield answer(f"`{command}` prints {count(int(result.text), 'line')} on {stream}.")
    elif result.text.strip():
        yield answer(f"`{command}` prints on {stream}:\n\n{OUTPUT_LINE}")
    else:
        yield answer(f"`{command}` prints nothing on {stream}.")


@intent("whole", 2)
def whole_quoted(project: Project, rng: Voice) -> Script:
    """A command, run as it stands."""
    command = _command(project, rng)
    yield about(
        rng,
        """
        run {command}
        please run {command}
        run {command} for me
        run exactly {command}
        execute {command}
        execute {command} and show the output
        do {command}
        try {command}
        output of {command}
        what is the output of {command}
        what does {command} give
        what does {command} print
        what happens with {command}
        show me {command}
        start {command} and show what comes
        let me see the result of {command}
        type {command} for me, what comes back
        """,
        command=f"`{command}`" if rng.random() < 0.8 else command,
    )
    result = yield program(f"print(run_command({quoted(command)}))")
    if refused(result):
        yield answer(f"Running `{command}` was refused.")
    elif result.error:
        raise Unsuitable
    elif result.text.strip() == "(no output)":
        yield answer(f"`{command}` succeeds and prints nothing.")
    else:
        yield answer(f"The output of `{command}`:\n\n{OUTPUT_LINE}")


@intent("whole", 3)
def whole_lines_of(project: Project, rng: Voice) -> Script:
    """`wc -l` of two to four files that are named, or the longest of them."""
    known = sorted(path for path, text in project.files.items() if text and " " not in path)
    paths = rng.sample(known, min(rng.choice([2, 3, 3, 4]), len(known)))
    longest = rng.random() < 0.5
    forms = """
        how many lines have {files}
        how many lines do {files} have, each
        how many lines in {files}
        line counts of {files}
        line count for each of {files}
        lines of {files}
        wc -l {plain}
        wc -l for {files}
        run wc -l on {files}
        use wc: lines of {files}
        count the lines of {files}
        count lines in each: {files}
        {files}: lines of each
        {files}, how long are they
        number of lines for {files}
        how long are {files}
        length in lines of {files}
    """
    if longest:
        forms = """
            which is longest, {or}
            which is the longest of {files}
            which of {files} has the most lines
            which one has more lines than the others: {or}
            longest of {files}
            longest file among {files}
            the longest one: {or}
            {files}: which is longest
            {files} - name the longest by lines
            what is the longest of these files: {files}
            wc -l {plain}, which one is the longest
            by wc -l, the longest of {files}
            compare the lengths of {files}, the longest please
            tell me the longest of {files} and its number of lines
            who has most lines, {or}
            of {files} take the longest, which is it
        """
    either = f"{', '.join(paths[:-1])} or {paths[-1]}"
    yield about(rng, forms, share=0.15, files=listed(paths), plain=" ".join(paths), **{"or": either})
    words = ", ".join(f'"{word}"' for word in ["wc", "-l", *paths])
    if longest:
        result = yield program(
            f"result = run_command([{words}])\nrows = [line.split() for line in result.stdout.splitlines()[:-1]]\n"
            "number, path = max(rows, key=lambda row: int(row[0]))\nprint(path, number)"
        )
        path, number = result.text.split()
        yield answer(f"{path} is the longest, with {count(int(number), 'line')}.")
        return
    result = yield program(f"print(run_command([{words}]))")
    rows = [line.split() for line in result.text.splitlines()]
    if result.error or len(rows) != len(paths) + 1:
        raise Unsuitable
    parts = [f"{path} has {count(int(number), 'line')}" for number, path in rows[:-1]]
    yield answer(f"{listed(parts)}; {rows[-1][0]} in total.")
