"""Scripts that are run, and figures of their output; sizes of modules and files."""

from punie_cli.agent.messages import OUTPUT_LINE, answer, program
from punie_cli.rows.intents import Script, Unsuitable, Voice, ask, count, intent
from punie_cli.rows.intents.paths import refused
from punie_cli.rows.project import Project


def _script(project: Project, rng: Voice) -> str:
    paths = [p for p, text in project.files.items() if p.endswith(".py") and text.startswith(("print(", "raise "))]
    if project.script and (not paths or rng.random() < 0.7):
        return project.script
    if not paths:
        raise Unsuitable
    return rng.choice(paths)


def _run(path: str, printed: str) -> str:
    return f'result = run_command(["python3", "{path}"])\nprint({printed})'


@intent("doing", 1.2)
def run_output(project: Project, rng: Voice) -> Script:
    path = _script(project, rng)
    yield ask(
        rng,
        """
        run {path}
        python {path}
        python3 {path}(| please)
        execute {path}
        what happens when I run {path}
        (run|start) {path} and show me what (it|comes out|it says)
        what is the output of {path}
        (give|show) me the output of {path}
        try {path} and tell me the output
        launch {path}, what does it say
        (just|) run the script {path}
        what does {path} print when you run it
        can you run {path} for me
        let {path} run and print its output
        output of {path}?
        I would like to see what {path} prints
        kick off {path}
        does {path} print anything? run it
        start {path} with python
        rnu {path}
        pls run {path} once
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


@intent("doing", 1.2)
def run_figure(project: Project, rng: Voice) -> Script:
    path = project.script
    if not path:
        raise Unsuitable
    step = rng.choice([1, 2, None, None])
    figure = f"number for step {step}" if step else rng.choice(["total", "total", "sum at the end"])
    yield ask(
        rng,
        """
        what {figure} does {path} (print|give|report)
        run {path}, what is the {figure}
        run {path} and tell me (only|just|) the {figure}
        the {figure} that {path} prints
        {figure} of {path}?
        what is the {figure} according to {path}
        start {path}; I need the {figure}
        execute {path} and give me the {figure}
        {path} prints a {figure}: what is it
        which {figure} comes out of {path}
        I only care about the {figure} from {path}
        run {path} for me and read off the {figure}
        python {path}, then the {figure}
        let {path} run: {figure}
        how large is the {figure} in the output of {path}
        find out the {figure}, {path} prints it
        waht is the {figure} from {path}
        """,
        path=path,
        figure=figure,
    )
    result = yield program(_run(path, "result.stdout"))
    if refused(result):
        yield answer(f"Running {path} was refused, so I do not know the {figure}.")
        return
    rows = [line.split() for line in result.text.splitlines() if line.strip()]
    found = [row[-1] for row in rows if (row[1:2] == [str(step)] if step else row[0] == "total")]
    if not found:
        raise Unsuitable
    yield answer(f"The {figure} that {path} prints is {found[0]}.")


@intent("doing", 1)
def run_line_count(project: Project, rng: Voice) -> Script:
    path = _script(project, rng)
    yield ask(
        rng,
        """
        how many lines does {path} print
        run {path} and count the lines (of output|it prints|that come out)
        number of output lines of {path}
        how long is the output of {path}, in lines
        count the lines that {path} prints
        lines printed by {path}?
        how many lines come out of {path}
        python {path} | wc -l
        start {path}: how many lines of output
        how many lines of stdout does {path} (have|write|produce)
        execute {path} and tell me how many lines it writes
        the output of {path} has how many lines
        (I need|tell me) the number of lines in the output of {path}
        is the output of {path} long? count its lines
        after running {path}, how many lines are on stdout
        run {path}, just the line count of what it prints
        """,
        path=path,
    )
    result = yield program(_run(path, "len(result.stdout.splitlines())"))
    if refused(result):
        yield answer(f"Running {path} was refused, so I do not know how much it prints.")
    else:
        yield answer(f"{path} prints {count(int(result.text), 'line')}.")


@intent("doing", 1)
def run_stderr(project: Project, rng: Voice) -> Script:
    path = _script(project, rng)
    yield ask(
        rng,
        """
        what does {path} (write|print|say) to stderr
        run {path} and show (me|) (only|) stderr
        stderr of {path}?
        any warnings on stderr when {path} runs
        what goes to stderr in {path}, run it
        does {path} write (anything|something) to stderr
        run {path}: what is on the error stream
        which message does {path} leave on stderr
        (only|just) the stderr of {path}
        python {path}, stderr only
        execute {path} and give me its error output
        show the error output of {path}
        (tell|show) me what {path} sends to standard error
        the standard error of {path}(| please)
        run {path} and ignore stdout, what is left
        is there anything on stderr after running {path}
        """,
        path=path,
    )
    result = yield program(_run(path, "result.stderr"))
    text = result.text.strip()
    if refused(result):
        yield answer(f"Running {path} was refused, so I do not know what it writes to stderr.")
    elif not text or text == "(no output)":
        yield answer(f"{path} writes nothing to stderr.")
    else:
        yield answer(f"{path} writes to stderr: {text.splitlines()[-1]}")


@intent("doing", 1)
def run_exit_code(project: Project, rng: Voice) -> Script:
    path = _script(project, rng)
    yield ask(
        rng,
        """
        exit code of {path}
        which exit code does {path} (give|return|end with|have)
        run {path} and (give|tell) me (only|) the exit code
        how does {path} exit
        what does {path} return to the shell
        does {path} exit with 0
        python {path}; echo $?
        does {path} end (cleanly|well|with an error)
        is {path} ok when you run it, exit code I mean
        run {path}: did it succeed
        start {path} and report its exit status
        exit status of {path}(| please)
        before I schedule {path}: what is its exit code
        (try|execute) {path}, does it fail
        will {path} break a pipeline? what is its exit code
        status code when running {path}
        exitcode {path}
        what exti code has {path}
        """,
        path=path,
    )
    result = yield program(_run(path, "result.exit_code"))
    if refused(result):
        yield answer(f"Running {path} was refused, so I do not know its exit code.")
    elif result.text.strip() == "0":
        yield answer(f"{path} succeeds: its exit code is 0.")
    else:
        yield answer(f"{path} fails: its exit code is {result.text.strip()}.")


@intent("doing", 1)
def longest_module(project: Project, rng: Voice) -> Script:
    path = project.package
    yield ask(
        rng,
        """
        longest module in {path}
        which module (in|of|under) {path} is longest
        which .py file in {path} has the most lines
        biggest module (in|of) {path} by line count
        find the longest python file (in|below|under) {path}
        what is the longest file in {path}, and how long is it
        name the module of {path} that has most lines
        in {path}, which file is the longest one
        I want to split the longest module of {path}, which is it
        where is most of the code in {path}, by lines of a file
        tell me the largest module in {path} (in lines|by lines)
        of all modules in {path}, which has the most lines
        most lines in {path}: which file
        line count champion in {path}
        which python file of {path} is the longest, with its number of lines
        what's the biggest .py in {path}
        """,
        path=path,
    )
    result = yield program(
        f'paths = run_command(["find", "{path}", "-name", "*.py"]).stdout.split()\n'
        "path = max(paths, key=lambda path: len(read_file(path).splitlines()))\n"
        "print(path, len(read_file(path).splitlines()))"
    )
    if result.error:
        raise Unsuitable
    name, number = result.text.split()
    yield answer(f"{name} is the longest, with {number} lines.")


@intent("doing", 1)
def lines_altogether(project: Project, rng: Voice) -> Script:
    path = rng.choice([project.package, project.package, "tests"])
    if path == "tests" and not project.tests:
        raise Unsuitable
    yield ask(
        rng,
        """
        how many lines of (code|python) (are|do we have) in {path}
        lines of code in {path}
        loc of {path}
        total lines (in|of) the python files of {path}
        how many lines does {path} have altogether
        how big is {path} in lines
        count all lines of the .py files in {path}
        sum up the lines of the modules in {path}
        {path}: lines of python, all files together
        what is the line total of {path}
        how much code is in {path}, in lines
        add up the line counts of every .py file in {path}
        (tell me|find out) how many lines {path} has in total
        all modules in {path} together have how many lines
        (I need|give me) the lines of code for {path}
        total line count (of|for) {path}(| please)
        """,
        path=path,
    )
    result = yield program(
        f'paths = run_command(["find", "{path}", "-name", "*.py"]).stdout.split()\n'
        "print(sum(len(read_file(path).splitlines()) for path in paths))"
    )
    if result.error:
        raise Unsuitable
    yield answer(f"The Python files in {path} have {count(int(result.text), 'line')} altogether.")


@intent("doing", 1)
def wc_figures(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p, text in project.files.items() if text))
    option, thing = rng.choice([("-l", "line"), ("-w", "word"), ("-c", "byte")])
    things = f"{thing}s"
    yield ask(
        rng,
        """
        wc {option} {path}
        run wc {option} on {path}
        (use wc|with wc): how many {things} in {path}
        {path} by wc {option}
        count the {things} of {path} with wc
        {things} in {path}, by wc
        what does wc {option} say (for|about) {path}
        wc for {path}, {things} only
        let wc count the {things} of {path}
        how many {things} does {path} have according to wc
        I want you to wc {path}: {things}
        I want wc {option} of {path}
        the wc {option} figure for {path}
        how many {things} is {path}, use wc {option}
        call wc {option} with {path} and tell me the number
        number of {things} in {path} as wc counts them
        """,
        path=path,
        option=option,
        things=things,
    )
    result = yield program(f'print(run_command(["wc", "{option}", "{path}"]))')
    if result.error or not result.text.split()[0].isdigit():
        raise Unsuitable
    yield answer(f"{path} has {count(int(result.text.split()[0]), thing)}.")


@intent("doing", 0.8)
def bytes_of_file(project: Project, rng: Voice) -> Script:
    path = rng.choice(sorted(p for p, text in project.files.items() if text))
    yield ask(
        rng,
        """
        how (big|large|heavy) is {path} in bytes
        size of {path}
        how many bytes (has|does|are in) {path}
        file size of {path}(| please)
        what is the size of {path} (in bytes|on disk)
        (tell|give) me the bytes of {path}
        bytes in {path}?
        {path}: size in bytes
        is {path} large? its size in bytes
        how much disk does {path} take, in bytes
        check the size of {path}
        I need to know how big {path} is
        number of bytes in {path}
        what does {path} weigh, in bytes
        how much space does {path} use
        look up the file size of {path}
        filesize {path}
        """,
        path=path,
    )
    result = yield program(f'print(run_command(["wc", "-c", "{path}"]))')
    if result.error or not result.text.split()[0].isdigit():
        raise Unsuitable
    yield answer(f"{path} has {count(int(result.text.split()[0]), 'byte')}.")
