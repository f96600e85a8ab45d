"""The whole command line. Each command imports what it needs in its body, calls the library, shows the value.

punie --help
"""

import contextlib
import errno
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from punie_cli import __version__
from punie_cli.errors import Exit, InterruptedByUser, MissingError, PunieError, RefusedError, UsageError

if TYPE_CHECKING:
    from punie_cli.agent.open import Connect
    from punie_cli.render import View
    from punie_cli.session import Recorder
    from punie_cli.settings import Settings
    from punie_cli.workspace import Workspace

C = TypeVar("C", bound=click.Command)


@dataclass
class App:
    """What one run of the command line shares; `connect` replaces the model on this machine by another engine."""

    connect: "Connect | None" = None
    debug: bool = False
    color: Literal["auto", "always", "never"] | None = None
    json: bool = False
    recorder: "Recorder | None" = None
    lost: str | None = None

    def settings(self, root: Path | None = None, **flags: Any) -> "Settings":
        """The settings in force; `root` is the folder that is worked in, whose files may have a say."""
        from punie_cli import settings

        found = settings.load({"color": self.color, **flags}, root, _tell)
        if found.model is None:
            self._tell_lost()
        return found

    def _tell_lost(self) -> None:
        """Say once that what was in use is gone, and that another model is used."""
        from punie_cli.models import store

        if self.lost is None:
            with contextlib.suppress(PunieError):
                self.lost = store.in_use().lost
                if self.lost:
                    click.echo(f"Warning: {self.lost}; see: punie use", err=True)

    def record(self, command: str, json: bool, view: "View", workspace: "Workspace") -> "Recorder":
        """Begin the session of a command; its failure becomes the session's last record."""
        from punie_cli.journal import Journal
        from punie_cli.session import Recorder
        from punie_cli.store import Store
        from punie_cli.terminal import log_to_file

        log_to_file()
        self.recorder = Recorder(command, Store(warn=view.note), _print_line if json else None)
        workspace.journal = Journal(workspace.root, self.recorder.place, view.note)
        return self.recorder


def _tell(text: str) -> None:
    click.echo(f"Note: {text}", err=True)


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _examples(*lines: str) -> Callable[[C], C]:
    """Examples at the end of a help text, one to a line."""

    def add(command: C) -> C:
        command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
        return command

    return add


_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_root = click.option(
    "--root", type=_FOLDER, default=".", show_default=True, help="The folder to work in; nothing outside is touched."
)
_model = click.option("--model", metavar="NAME", help="A model of the store or a folder, instead of the one in use.")
_adapter = click.option("--adapter", metavar="NAME", help="An adapter, a folder of one, or `none`.")
_allow = click.option("--allow", metavar="RULES", help="What needs no question: write, run, read, network; by commas.")
_json_lines = click.option("--json", "json_", is_flag=True, help="Print JSON lines, one for each event.")
_phase = click.option("--phase", type=int, required=True, metavar="N", help="The number of the recipe.")
_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")

_FILE = click.Path(dir_okay=False, path_type=Path)
_OUT_FILE = click.Path(path_type=Path)
_FORM = click.Choice(["punie", "messages", "tools", "completion", "text"])
_row_files = click.argument("files", type=_FILE, nargs=-1)
_rows_of = click.option("--phase", type=int, metavar="N", help="The rows of this phase, and its model and limits.")
_no_tokens = click.option("--no-tokens", is_flag=True, help="Count no tokens; no model is needed.")

_out = click.option("--out", metavar="NAME", help="The name of the new model, or a folder such as ./new.")
_replace = click.option("--force", is_flag=True, help="Replace a model of that name.")
_check_rows = click.option(
    "--check-rows",
    type=click.IntRange(min=0),
    default=16,
    show_default=True,
    metavar="N",
    help="Held-back rows that the models are compared on.",
)


@_examples('punie ask "typecheck src/"', "punie chat", "punie train --phase 23")
@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, "-V", "--version", message="punie %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of a crash.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), help="Colours in the terminal.")
@click.option("--offline", is_flag=True, help="Never ask the Hugging Face hub.")
@click.pass_context
def cli(context: click.Context, debug: bool, color: Literal["auto", "always", "never"] | None, offline: bool) -> None:
    """Talk to a local model that acts by writing Python, and retrain it from what happened."""
    app = context.ensure_object(App)
    app.debug, app.color = debug, color
    if color == "never" or (color is None and os.environ.get("NO_COLOR")):
        context.color = False
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


@_examples(
    'punie ask "typecheck src/"', "git diff | punie ask 'what does this change?'", "punie ask --json - < prompt.txt"
)
@cli.command()
@click.argument("prompt", required=False)
@_json_lines
@click.option("-q", "--quiet", is_flag=True, help="Show the answer alone.")
@_model
@_adapter
@_root
@_allow
@click.option("--max-steps", type=int, metavar="N", help="Replies of the model before it is stopped.  [default: 8]")
@click.option("--max-tokens", type=int, metavar="N", help="Tokens of one reply.  [default: 512]")
@click.pass_obj
def ask(app: App, prompt: str | None, json_: bool, quiet: bool, root: Path, **flags: Any) -> int:
    """Ask once and print the answer.

    Text from stdin comes before PROMPT; `-` takes the whole prompt from stdin. The answer goes to stdout,
    programs and calls go to stderr. Writes and commands are asked about at a terminal, and refused without one
    unless --allow names them.
    """
    from punie_cli import talk, terminal
    from punie_cli.agent.open import connect_mlx
    from punie_cli.render import View

    piped = terminal.read_stdin(talk.EXAMPLE) if prompt == "-" or terminal.has_input() else ""
    text = talk.join_prompt(prompt, piped)
    settings = app.settings(root, **flags)
    view = View(color=settings.color, quiet=quiet or json_, answers=not json_)
    workspace = talk.open_workspace(root, settings, _approver(view, settings, root), view.note)
    recorder = app.record("ask", json_, view, workspace)
    return terminal.run_async(talk.ask(text, workspace, settings, recorder, view, app.connect or connect_mlx))


@_examples("punie exec check.py", "echo 'print(typecheck())' | punie exec -", "punie exec --allow write --json fix.py")
@cli.command("exec")
@click.argument("file", type=click.Path(allow_dash=True))
@_json_lines
@_root
@_allow
@click.pass_obj
def exec_(app: App, file: str, json_: bool, root: Path, allow: str | None) -> int:
    """Run a program in the sandbox, without a model.

    FILE, or `-` for stdin, may use plain Python and the builtins. What it prints goes to stdout.
    """
    from punie_cli import talk, terminal
    from punie_cli.render import View

    code = terminal.read_stdin("punie exec FILE") if file == "-" else terminal.read_program(Path(file))
    settings = app.settings(root, allow=allow)
    view = View(color=settings.color, quiet=True, answers=not json_)
    workspace = talk.open_workspace(root, settings, _approver(view, settings, root), view.note)
    recorder = app.record("exec", json_, view, workspace)
    return terminal.run_async(talk.execute(code, workspace, recorder, view, text=not json_))


@_examples("punie chat", "punie chat --root ~/project --allow write")
@cli.command()
@_model
@_adapter
@_root
@_allow
@click.option("--mode", type=click.Choice(["ask", "edits", "read-only"]), help="What asks first.  [default: ask]")
@click.option("-c", "--continue", "last", is_flag=True, help="Go on with the last session of this folder.")
@click.option("--session", metavar="ID", help="Go on with this session; the start of its id is enough.")
@click.pass_obj
def chat(app: App, root: Path, last: bool, session: str | None, **flags: Any) -> int:
    """Talk in the terminal.

    Enter sends, Alt-Enter begins a new line, /help shows the rest. The prompt stays open while a turn runs: what is
    typed then is sent afterwards. Ctrl-C stops a reply and its program; Ctrl-D leaves. Writes and commands are asked
    about, with a diff.
    """
    from punie_cli import talk, terminal
    from punie_cli.agent.open import connect_mlx
    from punie_cli.chat.approve import person
    from punie_cli.chat.readers import open_reader
    from punie_cli.chat.repl import chat as talk_on
    from punie_cli.chat.screen import Screen
    from punie_cli.permits import unattended

    if last and session:
        raise UsageError("-c goes on with the last session, --session with another one", "punie chat -c")
    kept = _talk(root, session) if last or session else None
    if terminal.is_interactive():
        _offer_trust(root)
    settings = app.settings(root, **flags)
    view = Screen(color=settings.color)
    reader = open_reader(root.resolve(), settings)
    standing = _standing(view, settings, root)
    approver = person(view, reader.answer, standing) if terminal.is_interactive() else unattended(standing)
    workspace = talk.open_workspace(root, settings, approver, view.note)
    recorder = app.record("chat", False, view, workspace)
    connect = app.connect or connect_mlx
    talked = talk_on(workspace, settings, recorder, view, reader, connect, standing, session=kept)
    return terminal.run_async(talked)


def _talk(root: Path, name: str | None) -> str:
    """The id of the session to go on with: of one that has turns."""
    from punie_cli import sessions

    if name is None:
        found = sessions.recent(root.resolve(), 1, talks=True)
        if not found:
            raise MissingError(f"there is no session in {root.resolve()} to go on with", "punie chat")
        return found[0].id
    session = sessions.find(name, root.resolve())
    if not session.turns:
        raise UsageError(f"session {session.id} has no turn to go on with", f"punie logs show {session.id}")
    return session.id


@_examples("punie logs", "punie logs -q 'shop cart' --all", "punie logs show last")
@cli.group(invoke_without_command=True)
@click.option("-n", "count", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="At most N.")
@click.option("-q", "--query", metavar="TEXT", help="Only those with all words of TEXT in one of their texts.")
@click.option("--all", "all_", is_flag=True, help="Of all projects, not of this one alone.")
@_root
@click.option("--json", "json_", is_flag=True, help="Print JSON lines, one for each session.")
@click.pass_context
def logs(context: click.Context, count: int, query: str | None, all_: bool, root: Path, json_: bool) -> None:
    """See, search, export and delete what was said.

    Without a command it lists the sessions of this project, the last used first. A session is named by its id, by the
    start of it, or by `last`.
    """
    if context.invoked_subcommand is not None:
        if query is not None or all_ or json_:
            raise UsageError(
                f"-q, --all and --json before {context.invoked_subcommand} are for the list",
                f"punie logs {context.invoked_subcommand} --help",
            )
        return
    import json

    from punie_cli import session_text, sessions
    from punie_cli.printing import print_listing

    where = None if all_ else root.resolve()
    found = sessions.search(query, where, count) if query is not None else sessions.recent(where, count)
    empty = (
        "nothing is found" if query else "no session yet" if all_ else "no session in this project; --all shows others"
    )
    listing = session_text.listing(found, roots=all_, empty=empty)
    if json_:
        for item in listing.items:
            _print_line(json.dumps(item, ensure_ascii=False))
        return
    print_listing(listing, "table", context.obj.settings().color)


@_examples("punie logs show last", "punie logs show 7f3a --json")
@logs.command("show")
@click.argument("session")
@_root
@click.option("--json", "json_", is_flag=True, help="Print its records, JSON lines as `ask --json` prints them.")
@click.pass_obj
def logs_show(app: App, session: str, root: Path, json_: bool) -> None:
    """Show a session: prompts, programs, outputs, answers."""
    from punie_cli import session_text, sessions
    from punie_cli.printing import print_lines
    from punie_cli.recall import recall

    found = sessions.find(session, root.resolve())
    if json_:
        for line in sessions.lines(found.id):
            _print_line(line)
        return
    print_lines(session_text.lines(found, recall(sessions.records(found.id))), app.settings().color)


@_examples("punie logs export last cart.md", "punie logs export 7f3a > cart.md")
@logs.command("export")
@click.argument("session")
@click.argument("file", type=_FILE, required=False)
@_root
@click.pass_obj
def logs_export(app: App, session: str, file: Path | None, root: Path) -> None:
    """Write a session as Markdown, to stdout or into FILE.

    A FILE that is there and is no such export is not replaced.
    """
    from punie_cli import session_text, sessions
    from punie_cli.recall import recall
    from punie_cli.render import View

    found = sessions.find(session, root.resolve())
    text = session_text.markdown(found, recall(sessions.records(found.id)))
    if file is None:
        View(color=app.settings().color).write(text)
    else:
        click.echo(session_text.write(text, file))


@_examples("punie logs delete 7f3a", "punie logs delete last --yes")
@logs.command("delete")
@click.argument("names", metavar="SESSION...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_root
def logs_delete(names: tuple[str, ...], yes: bool, root: Path) -> None:
    """Delete sessions with all that was said in them.

    One that is open in a chat is refused. Forks of it stay, and so do files that were kept for undo.
    """
    from punie_cli import sessions
    from punie_cli.terminal import is_interactive

    found = {each.id: each for each in (sessions.find(name, root.resolve()) for name in names)}
    what = ", ".join(f"{each.id} ({each.title or each.command})" for each in found.values())
    if not yes:
        if not is_interactive():
            raise RefusedError(f"{what} is not deleted without a yes", f"punie logs delete {' '.join(found)} --yes")
        if not click.confirm(f"Delete {what}?", err=True):
            return
    sessions.delete(list(found))
    click.echo(f"deleted: {', '.join(found)}")


@_examples("punie undo", "punie undo shop/cart.py", "punie undo --dry-run")
@cli.command()
@click.argument("path", required=False)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@_root
@click.pass_obj
def undo(app: App, path: str | None, dry_run: bool, root: Path) -> int:
    """Take back what the last turn wrote in this project.

    With PATH its part of that file alone. A file that changed since is never touched: then all files of the turn stay
    as they are. What commands and tests changed is not taken back; `/redo` in a chat puts back what was.
    """
    from contextlib import closing

    from punie_cli.journal import Journal
    from punie_cli.printing import print_lines
    from punie_cli.undo_text import lines, undone

    with closing(Journal(root)) as journal:
        done = undone(journal, path, dry=dry_run)
    print_lines(lines(done, "would take back" if dry_run else "took back"), app.settings().color)
    return Exit.OK


@_examples("punie models list", "punie models pull embedded")
@cli.group(invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """See, fetch and choose the models of this machine.

    Without a command it lists them.
    """
    if context.invoked_subcommand is None:
        context.invoke(models_list)


@_examples("punie models list", "punie models list --catalogue", "punie models list -q")
@models.command("list")
@click.option("--catalogue", is_flag=True, help="Models that can be pulled, and whether they suit this machine.")
@_json
@click.option("-q", "--quiet", is_flag=True, help="Print names alone.")
@click.pass_obj
def models_list(app: App, catalogue: bool, json_: bool, quiet: bool) -> None:
    """List the models of the store."""
    from punie_cli import listings
    from punie_cli.printing import print_listing

    listing = listings.catalogue() if catalogue else listings.models()
    print_listing(listing, "json" if json_ else "names" if quiet else "table", app.settings().color)


@_examples("punie models pull embedded", "punie models pull mlx-community/Qwen2.5-Coder-3B-Instruct-4bit")
@models.command("pull")
@click.argument("name")
@click.option("--force", is_flag=True, help="Fetch all files anew.")
@click.option("--dry-run", is_flag=True, help="Say what it would cost, and stop.")
@click.option("-q", "--quiet", is_flag=True, help="Print the folder of the model alone.")
@click.pass_obj
def models_pull(app: App, name: str, force: bool, dry_run: bool, quiet: bool) -> None:
    """Fetch a model: `embedded`, or OWNER/NAME of the Hugging Face hub.

    Size and free disk are shown first. An interrupted download goes on where it stopped.
    """
    from punie_cli import listings
    from punie_cli.models import store
    from punie_cli.render import View

    view = View(color=app.settings().color, quiet=quiet)
    if dry_run or not quiet:
        view.note(listings.cost(name))
    if dry_run:
        return
    try:
        folder = store.pull(name, force=force, progress=view.pulling)
    finally:
        view.idle()
    click.echo(folder)


@_examples("punie models use embedded", "punie models use Qwen2.5-Coder-3B-Instruct-4bit")
@models.command("use")
@click.argument("name")
@click.option("--adapter", metavar="NAME", help="The adapter to use with it, or `none`.")
def models_use(name: str, adapter: str | None) -> None:
    """Put a model in use."""
    from punie_cli.agent.open import use

    chosen = use(name, adapter)
    click.echo(f"{chosen.name}, adapter {chosen.adapter.name if chosen.adapter else 'none'}")


@_examples("punie models show", "punie models show embedded --json")
@models.command("show")
@click.argument("name", required=False)
@_json
def models_show(name: str | None, json_: bool) -> None:
    """Show one model, by default the one in use."""
    from punie_cli import listings
    from punie_cli.printing import print_fields

    print_fields(listings.card(name), json=json_)


@_examples("punie models remove Qwen2.5-Coder-3B-Instruct-4bit")
@models.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Remove the model in use, too.")
def models_remove(name: str, yes: bool, force: bool) -> None:
    """Delete a model of the store."""
    from punie_cli import listings
    from punie_cli.models import store
    from punie_cli.terminal import is_interactive

    what = listings.removal(name)
    if not yes:
        if not is_interactive():
            raise RefusedError(f"{what} is not deleted without a yes", f"punie models remove {name} --yes")
        if not click.confirm(f"Delete {what}?", err=True):
            return
    done = store.remove(name, force=force)
    click.echo(f"{done.name}: {done.freed / 1e9:.2f} GB free again")


@_examples("punie models compare smollm2-135m-fused", "punie models compare mine-5bit mine-float16 --phase 24 --json")
@models.command("compare")
@click.argument("name")
@click.argument("reference", required=False)
@click.option("--phase", type=int, metavar="N", help="Whose validation rows; by default those of its adapter's phase.")
@_check_rows
@_json
@click.pass_obj
def models_compare(app: App, name: str, reference: str | None, phase: int | None, check_rows: int, json_: bool) -> None:
    """Compare a model with what it was made of, or with REFERENCE.

    On held-back rows: the tokens that both expect, how far apart their predictions are, what their programs do.
    """
    from punie_cli import listings
    from punie_cli.models import store
    from punie_cli.printing import print_fields
    from punie_cli.render import View
    from punie_cli.training import equivalence

    view = View(color=app.settings().color)
    against = equivalence.Subject(store.find(reference)) if reference else None
    try:
        report = equivalence.check(
            store.find(name), count=max(check_rows, 1), phase=phase, reference=against, note=view.rows
        )
    finally:
        view.idle()
    print_fields(listings.equivalence(report, json=json_), json=json_)


@_examples("punie models path", "ls $(punie models path embedded)")
@models.command("path")
@click.argument("name", required=False)
def models_path(name: str | None) -> None:
    """Print the folder of a model, by default of the one in use."""
    from punie_cli.models import store

    click.echo(store.find(name))


@_examples("punie data check --phase 23", "punie data stats --phase 23", "punie data show --phase 23 --mask")
@cli.group()
def data() -> None:
    """Build, check and convert what models are trained on.

    A file of rows has one JSON object a line: punie's own form, `messages`, tool calls, prompt and completion, or text.
    """


@_examples("punie data build --phase 23")
@data.command("build")
@_phase
@click.pass_obj
def data_build(app: App, phase: int) -> None:
    """Build the rows of a phase: generate, execute, split, write."""
    from punie_cli import terminal
    from punie_cli.render import View
    from punie_cli.rows.build import build
    from punie_cli.training.phase import load_phase

    view = View(color=app.settings().color)
    recipe = load_phase(phase)
    try:
        made = terminal.run_async(build(recipe, note=lambda done, of: view.progress("building rows", done, of, "rows")))
    finally:
        view.idle()
    sides = ", ".join(f"{count} {side}" for side, count in made.sides.items())
    click.echo(f"{made.folder}: {sides}; data {made.data_hash[:12]}")
    click.echo("rows: " + ", ".join(f"{group} {count}" for group, count in made.groups.items()))
    click.echo("shares: " + ", ".join(f"{kind} {share:.1%}" for kind, share in made.shares.items()))


@_examples("punie data check --phase 23", "punie data check rows.jsonl --no-run", "punie data check a.jsonl --json")
@data.command("check")
@_row_files
@_rows_of
@click.option("--no-run", is_flag=True, help="Do not run the programs of the rows.")
@_no_tokens
@click.option("--allow", metavar="RULES", help="`run`: programs of rows from elsewhere may run commands and tests.")
@_json_lines
@click.pass_obj
def data_check(
    app: App, files: tuple[Path, ...], phase: int | None, no_run: bool, no_tokens: bool, allow: str | None, json_: bool
) -> int:
    """Find what is wrong with rows, and run their programs again.

    Each finding has its file, line and kind; exits with 1 if there are any. FILES are measured by the phase if one is
    named, else by the model in use. Rows that do not come from punie run no commands unless --allow says so.
    """
    import json
    import time

    from punie_cli import data_text, terminal
    from punie_cli.render import View
    from punie_cli.rows.check import Finding, Limit, Looked, look
    from punie_cli.rows.rerun import Ran, rerun
    from punie_cli.training.phase import Train

    view = View(color=app.settings().color)
    paths, recipe = _rows(files, phase)
    limit = None
    if not no_tokens:
        limit = Limit(_renderer(app, phase), (recipe.train if recipe else Train()).max_tokens)
    allowed = allow is not None and "run" in app.settings(allow=allow).allow

    def report(finding: Finding) -> None:
        view.idle()
        if json_:
            _print_line(json.dumps(data_text.finding_record(finding), ensure_ascii=False))
        else:
            _print_line(data_text.finding_text(finding))

    looked, ran = Looked(), None
    try:
        start = time.monotonic()
        for finding in look(paths, limit, looked, lambda done: view.progress("looking at rows", done, unit="rows")):
            report(finding)
        seconds = time.monotonic() - start
        if not no_run:
            ran = terminal.run_async(
                rerun(
                    paths,
                    report,
                    lambda done: view.progress("running rows", done, looked.programs, "rows"),
                    allow_commands=allowed,
                )
            )
    finally:
        view.idle()
    if json_:
        _print_line(json.dumps(data_text.checked_record(looked, seconds, ran), ensure_ascii=False))
    for line in data_text.checked_lines(looked, seconds, ran):
        view.note(line)
    return Exit.FAILED if looked.findings or (isinstance(ran, Ran) and ran.findings) else Exit.OK


@_examples("punie data stats --phase 23", "punie data stats rows.jsonl --no-tokens --json")
@data.command("stats")
@_row_files
@_rows_of
@_no_tokens
@_json
@click.pass_obj
def data_stats(app: App, files: tuple[Path, ...], phase: int | None, no_tokens: bool, json_: bool) -> None:
    """Count rows by kind and length, with the shares that a phase should have."""
    from punie_cli import data_text
    from punie_cli.printing import print_fields, print_listing
    from punie_cli.rows.formats import read_entries
    from punie_cli.rows.stats import measure

    paths, _ = _rows(files, phase)
    found = measure(
        (entry for path in paths for entry in read_entries(path)), None if no_tokens else _renderer(app, phase)
    )
    if json_:
        print_fields(data_text.stats_record(found), json=True)
    else:
        print_listing(data_text.stats(found), "table", app.settings().color)


@_examples(
    "punie data show --phase 23 --mask", "punie data show rows.jsonl --row 7", "punie data show a.jsonl --format tools"
)
@data.command("show")
@click.argument("file", type=_FILE, required=False)
@_rows_of
@click.option("--row", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="Which row.")
@click.option("--mask", is_flag=True, help="Mark what is trained: in colour, or between ⟦ and ⟧ where there is none.")
@click.option("--format", "form", type=_FORM, help="Show the row as it is written in this form.")
@click.pass_obj
def data_show(app: App, file: Path | None, phase: int | None, row: int, mask: bool, form: Any) -> None:
    """Show one row as the model reads it."""
    from punie_cli.printing import print_segments
    from punie_cli.render import View
    from punie_cli.rows.formats import Writer, read_entries
    from punie_cli.rows.show import nth, render

    paths, _ = _rows((file,) if file else (), phase)
    entry = nth((entry for path in paths for entry in read_entries(path)), row)
    if form is not None:
        for line in Writer(form, _renderer(app, phase) if form == "text" else None).lines(entry):
            _print_line(line)
        return
    shown = render(entry, _renderer(app, phase))
    color = app.settings().color
    print_segments(shown.segments, mask=mask, color=color)
    View(color=color).note(
        f"{entry.place}: {shown.tokens} tokens, {shown.core} of them the core; {shown.trained} trained"
    )


@_examples(
    "punie data merge a.jsonl b.jsonl -o rows.jsonl",
    "punie data merge --phase 23 --format messages -o chats.jsonl",
    "punie data merge chats.jsonl -o -",
)
@data.command("merge")
@_row_files
@_rows_of
@click.option("-o", "--out", type=_OUT_FILE, required=True, metavar="FILE", help="Where to; `-` is stdout.")
@click.option("--format", "form", type=_FORM, default="punie", show_default=True, help="How rows are written.")
@click.pass_obj
def data_merge(app: App, files: tuple[Path, ...], phase: int | None, out: Path, form: Any) -> None:
    """Write the rows of several files as one, each question once.

    The first row with a question stays. With one input this is a conversion; each line of it may have its own form.
    """
    from punie_cli import data_text
    from punie_cli.render import View
    from punie_cli.rows.formats import Writer
    from punie_cli.rows.merge import merge

    paths, _ = _rows(files, phase)
    writer = Writer(form, _renderer(app, phase) if form == "text" else None)
    made = merge(paths, None if str(out) == "-" else out, writer)
    view = View(color=app.settings().color)
    for line in data_text.merged_lines(made):
        view.note(line)


@_examples("punie data split rows.jsonl", "punie data split rows.jsonl --percent 90,5,5 --out parts")
@data.command("split")
@click.argument("file", type=_FILE)
@click.option("--percent", default="80,10,10", show_default=True, metavar="A,B,C", help="Train, validation and test.")
@click.option("--out", type=_OUT_FILE, metavar="DIR", help="The folder to write to, instead of one named like FILE.")
def data_split(file: Path, percent: str, out: Path | None) -> None:
    """Split a file into train, valid and test.

    Families of phrasings, and rows with the same question, stay on one side. The same rows always split alike.
    """
    from punie_cli import data_text
    from punie_cli.rows.sides import parse_percent, split_file

    made = split_file(file, parse_percent(percent), out or file.with_suffix(""))
    for line in data_text.split_lines(made):
        click.echo(line)


def _rows(files: tuple[Path, ...], phase: int | None) -> tuple[list[Path], Any]:
    """The files that are meant, and the recipe of the phase if one is named."""
    from punie_cli.rows.files import phase_files
    from punie_cli.training.phase import load_phase

    if phase is None:
        if not files:
            raise UsageError("neither a file nor a phase is given", "punie data stats --phase 23")
        return list(files), None
    recipe = load_phase(phase)
    return list(files) or phase_files(recipe), recipe


def _renderer(app: App, phase: int | None) -> Any:
    from punie_cli.rows.show import make_renderer
    from punie_cli.training.phase import load_phase

    return make_renderer(None if phase is None else load_phase(phase), app.settings())


@_examples(
    "punie train --phase 23",
    "punie train --phase 23 --resume",
    "punie train --phase 23 --set lora.rank=16 --dry-run",
)
@cli.command()
@_phase
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder of the adapter, instead of one below punie's data."
)
@click.option("--model", metavar="NAME", help="The model to train on, instead of the one that the phase names.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Another value for a key of the phase.")
@click.option(
    "--through",
    type=click.Choice(["train", "fuse", "quantize", "eval"]),
    help="Go on by itself: build rows, train, fuse, quantize, evaluate, as far as named; what is unchanged is skipped.",
)
@click.option("--dry-run", is_flag=True, help="Show every value with its source, and what the rows come to.")
@click.option("--force", is_flag=True, help="Train though memory is short; resume though results may differ.")
@click.option(
    "--hosts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Train on the machines of an MLX host file (docs/distributed.md).",
)
@click.option("--backend", metavar="NAME", help="With --hosts: ring, mpi, jaccl, jaccl-ring or nccl.  [default: ring]")
@click.option("--worker", metavar="BACKEND", hidden=True, help="This is one of several hosts.")
@click.option("--detach", is_flag=True, help="Train apart from this terminal; `punie runs attach` shows how it goes.")
@_json_lines
@click.pass_obj
def train(
    app: App,
    phase: int,
    model: str | None,
    dry_run: bool,
    detach: bool,
    hosts: Path | None,
    backend: str | None,
    worker: str | None,
    json_: bool,
    **options: Any,
) -> int:
    """Train an adapter by the recipe of a phase.

    The rows are those of `punie data build`, else those that ship. Ctrl-C saves and stops; --resume goes on. Before the
    first step two steps are tried on the longest batch: what they show of memory and time is said, and a run that
    does not fit is refused unless --force is given.

    With --through the same command again goes on where it was stopped or killed. `eval` exits with 4 below the gate of
    the phase.
    """
    from punie_cli.progress import finished_text
    from punie_cli.render import View
    from punie_cli.training.run import train as train_phase

    settings = app.settings(model=model)
    model = model and settings.model
    if dry_run:
        return _dry_run(phase, options["sets"], model, json_)
    if detach:
        return _detach(app, json_)
    through = options.pop("through")
    if hosts is not None or worker is not None:
        if through is not None:
            raise click.UsageError("--through and --hosts do not go together: what follows runs on one machine")
        return _on_hosts(app, hosts, backend, worker, json_, phase=phase, model=model, **options)
    if through is not None:
        return _pipeline(app, settings, json_, phase=phase, through=through, model=model, **options)
    view = View(color=settings.color)
    try:
        done = train_phase(phase=phase, model=model, report=_telling(view, json_), **options)
    finally:
        view.idle()
    if not json_:
        click.echo(finished_text(done))
    return Exit.OK


def _telling(view: "View", json_: bool) -> Callable[[Any], None]:
    """Shows the reports of a training, or prints them as JSON lines."""
    from punie_cli.training.reports import as_record

    def report(event: Any) -> None:
        if json_:
            import json

            _print_line(json.dumps(as_record(event), ensure_ascii=False))
        else:
            view.training(event)

    return report


def _on_hosts(
    app: App, hosts: Path | None, backend: str | None, worker: str | None, json_: bool, **options: Any
) -> int:
    """Launch the hosts, watch over one of them, or be its trainer."""
    from punie_cli.progress import finished_text
    from punie_cli.render import View
    from punie_cli.training import watch
    from punie_cli.training.launch import launch

    words = _again(click.get_current_context(), without=("hosts", "backend", "worker"))
    if hosts is not None:
        return launch(hosts, backend, words)
    assert worker is not None
    if watch.MEMBER not in os.environ:
        return watch.supervise([*words, "--worker", worker])
    from punie_cli.engine.blas import load_blas

    load_blas(app.settings().blas)
    from punie_cli.training.distributed import Group
    from punie_cli.training.run import train as train_phase

    group = Group(worker)
    view = View(color=app.settings().color)
    try:
        # The first host tells for all.
        report = _telling(view, json_) if group.rank == 0 else lambda event: None
        done = train_phase(**options, report=report, group=group)
    finally:
        view.idle()
    if group.rank == 0 and not json_:
        click.echo(finished_text(done))
    return Exit.OK


def _pipeline(
    app: App, settings: "Settings", json_: bool, *, phase: int, resume: bool, out: Path | None, **options: Any
) -> int:
    """A pipeline always goes on where it can, so that `resume` adds nothing."""
    from punie_cli import phases
    from punie_cli.agent.open import connect_mlx
    from punie_cli.printing import print_listing
    from punie_cli.render import View
    from punie_cli.training.notify import notify
    from punie_cli.training.pipeline import run_pipeline
    from punie_cli.training.reports import as_record
    from punie_cli.training.stages import StageProgress
    from punie_cli.training.summary import Comparison, Summary

    if out is not None:
        raise UsageError("--out has no place in a pipeline: later stages look for the adapter of the phase", None)
    view = View(color=settings.color)

    def report(event: Any) -> None:
        if json_ and isinstance(event, StageProgress):
            return
        if json_:
            import json

            _print_line(json.dumps(as_record(event), ensure_ascii=False))
        elif isinstance(event, Summary | Comparison):
            view.idle()
            print_listing(phases.result(event), "table", settings.color)
        else:
            view.stage(event)

    ended = f"punie: phase {phase} is through {options['through']}"
    try:
        run_pipeline(phase=phase, settings=settings, report=report, connect=app.connect or connect_mlx, **options)
    except PunieError as error:
        ended = f"punie: phase {phase}: {error.message}"
        raise
    finally:
        view.idle()
        view.bell()
        if settings.notify and (problem := notify(settings.notify, ended)):
            view.note(problem)
    if options["through"] == "eval":
        view.note(f"nothing was put in use by this: punie use {phase}")
    return Exit.OK


def _detach(app: App, json_: bool) -> int:
    """Start the same command line apart, and wait until it trains, or has failed."""
    from punie_cli.render import View
    from punie_cli.training.process import detach

    words = _again(click.get_current_context(), without=("detach",))
    view = View(color=app.settings().color)
    try:
        # A pipeline may build rows for a while before it trains.
        started = detach(words, seconds=5.0 if "--through" in words else None, note=view.progress)
    except KeyboardInterrupt:
        raise InterruptedByUser("the training goes on", "punie runs list") from None
    finally:
        view.idle()
    run = started.run.name if started.run else None
    if json_:
        import json

        _print_line(json.dumps({"type": "detached", "run": run, "pid": started.pid, "log": str(started.log)}))
    if started.code is not None:
        click.echo(started.said, err=True, nl=False)
        if started.code == 0 and not json_:
            click.echo(f"{run} has ended: punie runs show {run}")
        return started.code
    if not json_:
        shown = f"punie runs attach {run}" if run else "punie runs list"
        click.echo(f"{run or f'process {started.pid}'}: {shown}; it writes to {started.log}")
    return Exit.OK


def _again(context: click.Context, without: tuple[str, ...]) -> list[str]:
    """The words of this command line, without some options."""
    words = context.command_path.split()[1:]
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        given = context.get_parameter_source(parameter.name or "") is not click.core.ParameterSource.DEFAULT
        if parameter.name in without or value in (None, False, ()) or not given:
            continue
        for each in value if parameter.multiple else (value,):
            words += [parameter.opts[-1]] if each is True else [parameter.opts[-1], str(each)]
    return words


def _dry_run(phase: int, sets: tuple[str, ...], model: str | None, json_: bool) -> int:
    from punie_cli.progress import draft_text
    from punie_cli.training.plan import draft
    from punie_cli.training.recipe import resolve

    plan = draft(resolve(phase, sets, model))
    if json_:
        import json

        _print_line(json.dumps(plan.as_record(), ensure_ascii=False))
    else:
        click.echo(draft_text(plan))
    return Exit.OK


@_examples("punie phases", "punie phases show 23", "punie phases diff 23 24")
@cli.group(invoke_without_command=True)
@click.pass_context
def phases(context: click.Context) -> None:
    """See the recipes of trainings.

    Without a command it lists them. Files `phases/NN.toml` below punie's data add phases, or replace shipped ones.
    """
    if context.invoked_subcommand is None:
        context.invoke(phases_list)


@_examples("punie phases list", "punie phases list --json")
@phases.command("list")
@_json
@click.pass_obj
def phases_list(app: App, json_: bool) -> None:
    """List the phases, with their rows, last run and score."""
    from punie_cli import phases as room
    from punie_cli.printing import print_listing

    print_listing(room.phases(), "json" if json_ else "table", app.settings().color)


@_examples("punie phases show 23", "punie phases show 23 --json")
@phases.command("show")
@click.argument("number", type=int)
@_json
@click.pass_obj
def phases_show(app: App, number: int, json_: bool) -> None:
    """Show the recipe of a phase, each value with its source."""
    from punie_cli import phases as room
    from punie_cli.printing import print_listing

    print_listing(room.phase(number), "json" if json_ else "table", app.settings().color)


@_examples("punie phases diff 23 24")
@phases.command("diff")
@click.argument("one", type=int)
@click.argument("other", type=int)
@_json
@click.pass_obj
def phases_diff(app: App, one: int, other: int, json_: bool) -> None:
    """Show the keys on which two phases differ."""
    from punie_cli import phases as room
    from punie_cli.printing import print_listing

    print_listing(room.difference(one, other), "json" if json_ else "table", app.settings().color)


@_examples("punie runs", "punie runs show 23-001", "punie runs attach 23")
@cli.group(invoke_without_command=True)
@click.pass_context
def runs(context: click.Context) -> None:
    """See, follow and stop trainings.

    Without a command it lists them. A run is named `23-001`; `23` is the last one of phase 23.
    """
    if context.invoked_subcommand is None:
        context.invoke(runs_list)


@_examples("punie runs list", "punie runs list --json")
@runs.command("list")
@_json
@click.pass_obj
def runs_list(app: App, json_: bool) -> None:
    """List the runs, the newest first."""
    from punie_cli import runs as room
    from punie_cli.printing import print_listing

    print_listing(room.runs(), "json" if json_ else "table", app.settings().color)


@_examples("punie runs show 23-001", "punie runs show 23 --html report.html", "punie runs show 23 --json")
@runs.command("show")
@click.argument("name")
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write one HTML page, with curves."
)
@_json
def runs_show(name: str, html: Path | None, json_: bool) -> None:
    """Show a run: its course, what it came to, what it was made from.

    Each run keeps such a page as report.html in its folder.
    """
    import shutil

    from punie_cli import runs as room
    from punie_cli.printing import print_fields
    from punie_cli.training import plots
    from punie_cli.training.runs import find, read

    run = read(find(name))
    if html is not None:
        try:
            click.echo(plots.write_page(run, html))
        except OSError as error:
            raise UsageError(f"{html} cannot be written: {error.strerror}", None) from error
        return
    print_fields(room.record(run) if json_ else room.card(run), json=json_)
    if not json_:
        click.echo(plots.terminal_plot(run.curves, min(shutil.get_terminal_size().columns, 100)), nl=False)


@_examples("punie runs attach 23-001", "punie runs attach 23 --json")
@runs.command("attach")
@click.argument("name")
@_json_lines
@click.pass_obj
def runs_attach(app: App, name: str, json_: bool) -> int:
    """Follow a run until it ends.

    Ctrl-C leaves it going. Exits with 1 for a run that failed and with 130 for one that was stopped.
    """
    from punie_cli.progress import finished_text
    from punie_cli.render import View
    from punie_cli.training.reports import Finished
    from punie_cli.training.runs import as_report, find, follow, read

    view, folder = View(color=app.settings().color), find(name)
    try:
        for record in follow(folder):
            if json_:
                import json

                _print_line(json.dumps(record, ensure_ascii=False))
            elif isinstance(event := as_report(record), Finished):
                view.idle()
                click.echo(finished_text(event))
            else:
                view.training(event)
    except KeyboardInterrupt:
        raise InterruptedByUser(f"{folder.name} goes on", f"punie runs attach {folder.name}") from None
    finally:
        view.idle()
    run = read(folder)
    if run.state == "failed":
        raise PunieError(f"{run.name} failed: {run.reason}", run.hint)
    if run.state == "stopped":
        hint = f"punie train --phase {run.config['phase']} --resume"
        raise InterruptedByUser(f"{run.name} was stopped after step {run.step} of {run.steps}", hint)
    return Exit.OK


@_examples("punie runs stop 23-001")
@runs.command("stop")
@click.argument("name")
def runs_stop(name: str) -> None:
    """Stop a run: it finishes its step and saves; `punie train --resume` goes on."""
    from punie_cli.training.process import stop
    from punie_cli.training.runs import find, read

    folder = find(name)
    stop(folder)
    run = read(folder)
    click.echo(f"{run.name}: {run.state} after step {run.step} of {run.steps}")


@_examples("punie runs compare 23-001 23-002", "punie runs compare 23 24 --json")
@runs.command("compare")
@click.argument("names", nargs=-1, required=True)
@_json
@click.pass_obj
def runs_compare(app: App, names: tuple[str, ...], json_: bool) -> None:
    """Show runs side by side: what differs in their recipes, and what they came to."""
    from punie_cli import runs as room
    from punie_cli.printing import print_listing
    from punie_cli.training.runs import compare

    print_listing(room.comparison(compare(names)), "json" if json_ else "table", app.settings().color)


@_examples("punie runs prune", "punie runs prune --yes")
@runs.command("prune")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json
@click.pass_obj
def runs_prune(app: App, yes: bool, json_: bool) -> None:
    """Delete checkpoints that are not needed any more.

    Of finished runs all but the best, of failed ones all; adapters, metrics and reports stay. With --json it says what
    would be deleted, and deletes it only with --yes.
    """
    from punie_cli import runs as room
    from punie_cli.phases import size_text
    from punie_cli.printing import print_listing
    from punie_cli.terminal import is_interactive
    from punie_cli.training.runs import prune, waste

    found = waste()
    print_listing(room.waste(found), "json" if json_ else "table", app.settings().color)
    if not found or (json_ and not yes):
        return
    size = size_text(sum(each.size for each in found))
    if not yes:
        if not is_interactive():
            raise RefusedError(f"{size} of checkpoints are not deleted without a yes", "punie runs prune --yes")
        if not click.confirm(f"Delete {size} of checkpoints?", err=True):
            return
    freed = prune(found)
    click.echo(f"{size_text(freed)} free again", err=json_)


@_examples("punie fuse --phase 23", "punie fuse --adapter phase-23 --mode float16", "punie fuse --out ./fused --json")
@cli.command()
@click.option("--phase", type=int, metavar="N", help="Fuse the adapter of this phase.")
@_adapter
@_model
@click.option(
    "--mode",
    type=click.Choice(["touched", "float16", "base"]),
    default="touched",
    show_default=True,
    help="Adapted layers at 8 bits, all else bit for bit; everything in float16; adapted layers as the base has them.",
)
@_out
@_replace
@_check_rows
@_json
@click.pass_obj
def fuse(
    app: App, phase: int | None, mode: Any, out: str | None, force: bool, check_rows: int, json_: bool, **flags: Any
) -> None:
    """Put an adapter into the weights of its base: a model of its own.

    Without --phase or --adapter it is the adapter in use. At the end the new model is compared with base and
    adapter on held-back rows. Memory holds about one weight file of 2 GB.
    """
    from punie_cli.render import View
    from punie_cli.training import fuse as room

    settings = app.settings(**flags)
    view = View(color=settings.color)
    choice = room.find(settings, phase)
    try:
        made = room.fuse(choice, mode=mode, out=out, force=force, progress=view.pulling)
    finally:
        view.idle()
    _compare(made, view, check_rows, json_)


@_examples("punie quantize --model smollm2-135m-phase-23-float16 --bits 5", "punie quantize --bits 4 --mixed")
@cli.command()
@_model
@click.option("--bits", type=click.Choice(["2", "3", "4", "5", "6", "8"]), required=True, help="Bits of a weight.")
@click.option(
    "--group-size",
    type=click.Choice(["32", "64", "128"]),
    default="64",
    show_default=True,
    help="Weights that share a scale.",
)
@click.option("--mixed", is_flag=True, help="More bits for the head and for v_proj and down_proj of some layers.")
@_out
@_replace
@_check_rows
@_json
@click.pass_obj
def quantize(
    app: App,
    model: str | None,
    bits: str,
    group_size: str,
    mixed: bool,
    out: str | None,
    force: bool,
    check_rows: int,
    json_: bool,
) -> None:
    """Write a copy of a model with fewer bits for each weight.

    At the end it is compared on held-back rows with base and adapter where it was fused from them, else with the
    model that was quantized. Memory holds about one weight file of 2 GB.
    """
    from punie_cli.render import View
    from punie_cli.training import quantize as room

    settings = app.settings(model=model)
    view = View(color=settings.color)
    try:
        made = room.quantize(
            settings.model,
            bits=int(bits),
            group_size=int(group_size),
            mixed=mixed,
            out=out,
            force=force,
            progress=view.pulling,
        )
    finally:
        view.idle()
    _compare(made, view, check_rows, json_)


class _RunsByDefault(click.Group):
    """A group whose command `run` may be left out."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@_examples("punie eval", "punie eval --suite phase23 --min 0.8", "punie eval run --help")
@cli.group("eval", cls=_RunsByDefault)
def eval_() -> None:
    """Score a model by what its programs do.

    `punie eval` with options is `punie eval run`.
    """


@_examples(
    "punie eval", "punie eval --suite core --adapter phase-24", "punie eval --samples 4 --temperature 0.7 --json"
)
@eval_.command("run")
@click.option("--suite", "suites", multiple=True, metavar="NAME", help="A suite, or a file that ends in .toml.")
@click.option("--case", "cases", multiple=True, metavar="NAME", help="Only this case of the suites.")
@_model
@_adapter
@click.option(
    "--samples", type=click.IntRange(1, 100), default=1, metavar="K", help="Tries of each case.  [default: 1]"
)
@click.option(
    "--temperature", type=click.FloatRange(0, 2), default=0.0, metavar="T", help="Above 0 replies differ.  [default: 0]"
)
@click.option("--batch", type=click.IntRange(1, 256), metavar="N", help="Cases at once.  [default: 8, if it batches]")
@click.option("--min", "least", metavar="SHARE", help="Exit with 4 below this share of a suite: 0.8 or 80%.")
@click.option("--again", is_flag=True, help="Run anew what has finished before.")
@click.option("--max-steps", type=int, metavar="N", help="Replies of the model in one turn.  [default: 8]")
@click.option("--max-tokens", type=int, metavar="N", help="Tokens of one reply.  [default: 512]")
@_json
@click.pass_obj
def eval_run(
    app: App,
    suites: tuple[str, ...],
    cases: tuple[str, ...],
    samples: int,
    temperature: float,
    batch: int | None,
    least: str | None,
    again: bool,
    json_: bool,
    **flags: Any,
) -> int:
    """Run suites and keep what each case came to.

    Each case runs in a copy of its own project. After Ctrl-C or a kill the same command goes on; one that has finished
    is shown, not run again, unless --again is given.
    """
    import json

    from punie_cli import eval_text, terminal
    from punie_cli.evaluation.evaluate import Begun, Ended, Shown, evaluate
    from punie_cli.evaluation.plan import Plan, choose_suites, engine_for, parse_share, require
    from punie_cli.render import View

    settings = app.settings(**flags)
    wanted = None if least is None else parse_share(least)
    connect, batch = (app.connect, batch or 1) if app.connect else engine_for(temperature, batch)
    plan = Plan(choose_suites(suites or settings.suites), cases, samples, temperature, batch)
    view = View(color=settings.color)
    seen: list[Any] = []

    def note(event: Any) -> None:
        seen.append(event)
        eval_text.show(view, event)

    terminal.log_to_file()
    try:
        run = terminal.run_async(evaluate(settings, plan, again=again, note=note, connect=connect))
    except InterruptedByUser as error:
        begun = next((event for event in seen if isinstance(event, Begun)), None)
        if begun is None:
            raise
        done = begun.kept + sum(isinstance(event, Ended) for event in seen)
        words = ["punie", *_again(click.get_current_context(), without=())]
        raise InterruptedByUser(
            f"{error.message} after {done} of {begun.of} cases, which are kept in {begun.run}", shlex.join(words)
        ) from None
    finally:
        view.idle()
    if json_:
        shown = any(isinstance(event, Shown) for event in seen)
        _print_line(json.dumps(eval_text.as_record(run, shown=shown, least=wanted)))
        # The object says what is below; stdout has nothing else.
        app.json = False
    else:
        click.echo("\n".join(eval_text.result_lines(run)))
    if wanted is not None:
        require(run, wanted)
    return Exit.OK


@_examples("punie use 24", "punie use", "punie use previous")
@cli.command()
@click.argument("name", metavar="[PHASE | NAME | previous]", required=False)
@click.option("--force", is_flag=True, help="Put it in use also if it is below the gate, or worse; the record says so.")
@click.option("--suite", "also", multiple=True, metavar="NAME", help="Not to be worse on this suite, too.")
@_json
@click.pass_obj
def use(app: App, name: str | None, force: bool, also: tuple[str, ...], json_: bool) -> int:
    """Put the result of a phase in use, if it is good enough.

    The gate of its phase must hold, and it must not be worse than what is in use beyond chance; evaluations that are
    missing are run now. Otherwise it is kept as rejected, and the exit code is 4. `previous` goes back, without a
    gate. NAME is an adapter or a model that a phase has made. Without an argument: what is in use, what was before,
    what was rejected.
    """
    import json

    from punie_cli import eval_text, use_text
    from punie_cli.evaluation.plan import engine_for
    from punie_cli.models import history
    from punie_cli.printing import print_lines
    from punie_cli.render import View
    from punie_cli.terminal import log_to_file, run_async
    from punie_cli.training import putting

    if (force or also) and name in (None, "previous"):
        raise UsageError("--force and --suite need the name of what is to be put in use", "punie use PHASE --force")
    settings = app.settings()
    view = View(color=settings.color)
    if name in (None, "previous"):
        kept = putting.go_back(view.note) if name else history.read()
        if json_:
            _print_line(json.dumps(use_text.record(kept)))
        else:
            print_lines(use_text.lines(kept), settings.color)
        return Exit.OK
    connect, batch = (app.connect, 1) if app.connect else engine_for(0.0)

    def note(event: Any) -> None:
        if isinstance(event, str):
            view.note(event)
        else:
            eval_text.show(view, event)

    if settings.model or settings.adapter:
        view.note("the settings name a model or an adapter, which comes before what is in use: punie doctor")
    log_to_file()
    work = putting.put_in_use(settings, name, force=force, also=also, note=note, connect=connect, batch=batch)
    try:
        done = run_async(work)
    except InterruptedByUser as error:
        words = ["punie", "use", name, *(["--force"] if force else []), *(f"--suite={each}" for each in also)]
        raise InterruptedByUser(f"{error.message}; cases that are done are kept", shlex.join(words)) from None
    finally:
        view.idle()
    if json_:
        _print_line(json.dumps(use_text.put_record(done)))
        # The object says what was missed; stdout has nothing else.
        app.json = False
    elif done.put:
        print_lines(use_text.put_lines(done), settings.color)
    done.require()
    return Exit.OK


@_examples("punie eval list", "punie eval list --json")
@eval_.command("list")
@_json
@click.pass_obj
def eval_list(app: App, json_: bool) -> None:
    """List the evaluations, the newest first."""
    from punie_cli import evals as room
    from punie_cli.evaluation.results import list_runs
    from punie_cli.printing import print_listing

    print_listing(room.runs(list_runs()), "json" if json_ else "table", app.settings().color)


@_examples("punie eval show last", "punie eval show e0007 --case check-then-fix", "punie eval show phase-24 --json")
@eval_.command("show")
@click.argument("name", metavar="RUN")
@click.option("--case", metavar="NAME", help="One case in full: programs, calls, outputs, answer, files.")
@_json
@click.pass_obj
def eval_show(app: App, name: str, case: str | None, json_: bool) -> None:
    """Show an evaluation: its scores and its cases.

    RUN is an id, `last`, or the newest finished run of a model, an adapter, a subject or the number of a phase.
    """
    import json

    from punie_cli import eval_text
    from punie_cli import evals as room
    from punie_cli.evaluation.results import resolve
    from punie_cli.printing import print_lines, print_sections

    run, color = resolve(name), app.settings().color
    chosen = room.find_cases(run, case) if case else []
    if json_:
        _print_line(json.dumps([room.case_record(each) for each in chosen] if case else eval_text.as_record(run)))
    elif case:
        for number, each in enumerate(chosen):
            print_lines([("", "")] * bool(number) + list(room.case_lines(each)), color)
    else:
        click.echo("\n".join([*eval_text.result_lines(run), ""]))
        print_sections([("", room.cases(run))], color)


@_examples(
    "punie eval compare 23 24", "punie eval compare e0007 last", "punie eval compare smollm2-135m phase-24 --json"
)
@eval_.command("compare")
@click.argument("names", metavar="A B...", nargs=-1, required=True)
@_json
@click.pass_obj
def eval_compare(app: App, names: tuple[str, ...], json_: bool) -> None:
    """Compare evaluations with the first of them, case by case.

    Only cases that both ran from the same suite count. A difference is told with its 95 % interval: where that holds 0,
    no difference was seen.
    """
    import json

    from punie_cli import evals as room
    from punie_cli.printing import print_sections
    from punie_cli.render import View

    if len(names) < 2:
        raise UsageError("compare needs two evaluations or more", f"punie eval compare {names[0]} last")
    runs, color = room.find_runs(names), app.settings().color
    if json_:
        _print_line(json.dumps(room.comparison_record(runs)))
        return
    print_sections(room.comparison(runs), color)
    for line in room.left_out(runs):
        View(color=color).note(line)


@_examples(
    "punie eval report last --html report.html", "punie eval report 23 24 --junit eval.xml", "punie eval report e0007"
)
@eval_.command("report")
@click.argument("names", metavar="RUN...", nargs=-1, required=True)
@click.option("--html", type=_FILE, metavar="FILE", help="Write one HTML page with every case.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write JUnit XML.")
@_json
@click.pass_obj
def eval_report(app: App, names: tuple[str, ...], html: Path | None, junit: Path | None, json_: bool) -> None:
    """Report on evaluations: in the terminal, as a page, as JUnit XML or as JSON.

    Of several runs the first is what the others are compared with. --json has all records of all turns.
    """
    import json

    from punie_cli import evals as room
    from punie_cli.evaluation import junit as xml
    from punie_cli.evaluation import report as pages
    from punie_cli.printing import print_sections

    runs = room.find_runs(names)
    for path, write in ((html, pages.write_page), (junit, xml.write)):
        if path is not None:
            try:
                click.echo(write(runs, path), err=json_)
            except OSError as error:
                raise UsageError(f"{path} cannot be written: {error.strerror}", None) from error
    if json_:
        _print_line(json.dumps(room.report_record(runs)))
    elif not (html or junit):
        click.echo("\n".join(room.summary(runs)))
        print_sections(room.report(runs), app.settings().color)


@_examples("punie config show --origin", "punie config set max_steps 12", "punie config edit --project")
@cli.group()
def config() -> None:
    """See and change settings.

    They come from the user's config.toml, pyproject.toml ([tool.punie]) and .punie/config.toml of the folder, PUNIE_*
    variables and flags; the last one wins. Until a folder is trusted its files may only tighten.
    """


_project = click.option("--project", is_flag=True, help="The file of the folder, .punie/config.toml.")


@_examples("punie config show", "punie config show --origin", "punie config show --json --root ~/project")
@config.command("show")
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@_root
@_json
@click.pass_obj
def config_show(app: App, origin: bool, root: Path, json_: bool) -> None:
    """Show every setting with its value."""
    from punie_cli import config as room
    from punie_cli.printing import print_listing

    print_listing(room.shown(root, origin=origin), "json" if json_ else "table", app.settings(root).color)


@_examples("punie config set model embedded", "punie config set --project mode read-only", "punie config set allow ''")
@config.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("key")
@click.argument("value")
@_project
@_root
def config_set(key: str, value: str, project: bool, root: Path) -> None:
    """Set one value in a file; its comments stay.

    Lists are parted by commas. A wrong value changes nothing.
    """
    from punie_cli import config as room
    from punie_cli import settings

    target = room.Target(root if project else None)
    kept = room.set_value(target, key, value)
    click.echo(f"{key} = {kept!r} in {target.file}")
    if project:
        settings.load(None, root, _tell)


@_examples("punie config unset model", "punie config unset --project mode")
@config.command("unset")
@click.argument("key")
@_project
@_root
def config_unset(key: str, project: bool, root: Path) -> None:
    """Take one value out of a file."""
    from punie_cli import config as room

    target = room.Target(root if project else None)
    click.echo(f"{key} {'is no longer' if room.unset(target, key) else 'was not'} set in {target.file}")


@_examples("punie config edit", "punie config edit --project")
@config.command("edit")
@_project
@_root
def config_edit(project: bool, root: Path) -> None:
    """Open a file in $EDITOR; it is checked before it is kept."""
    from punie_cli import config as room
    from punie_cli import terminal
    from punie_cli.chat.editor import edit_text

    target = room.Target(root if project else None)
    text = target.read() or room.template()
    while True:
        edited = terminal.run_async(edit_text(text, ".toml"))
        if edited is None:
            click.echo(f"{target.file} is as it was")
            return
        try:
            target.write(edited)
            break
        except UsageError as error:
            if not terminal.is_interactive():
                raise
            click.echo(f"Error: {error.message}", err=True)
            if not click.confirm("Edit it again?", default=True, err=True):
                return
            text = edited
    click.echo(target.file)


@_examples("punie config path", "cat $(punie config path --project)")
@config.command("path")
@_project
@_root
def config_path(project: bool, root: Path) -> None:
    """Print the name of a file; it need not exist."""
    from punie_cli import config as room

    click.echo(room.Target(root if project else None).file)


@_examples("punie config trust", "punie config trust --root ~/project")
@config.command("trust")
@_root
def config_trust(root: Path) -> None:
    """Trust a folder: what its files set counts, until they set something else."""
    from punie_cli import projects, trust

    wish = projects.wish(root)
    trust.decide(wish.root, wish.digest, trusted=True)
    click.echo(f"trusted: {wish.root}")
    for line in wish.lines:
        click.echo(f"  {line}")
    if not wish.lines:
        click.echo("  its files set nothing that needs it")


@_examples("punie config untrust")
@config.command("untrust")
@_root
def config_untrust(root: Path) -> None:
    """Trust a folder no more."""
    from punie_cli import trust

    was = trust.forget(root)
    click.echo(f"{'no longer' if was else 'was not'} trusted: {root.resolve()}")


@_examples("punie completion zsh", "punie completion bash --install")
@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--install", is_flag=True, help="Write it where the shell looks for it, and say where.")
def completion(shell: str, install: bool) -> None:
    """Print the completion script of a shell."""
    from punie_cli import shells as room

    if not install:
        click.echo(room.script(cli, shell))
        return
    done = room.install(cli, shell)
    click.echo(f"{done.file}: {done.advice}")


@_examples("punie doctor", "punie doctor --json")
@cli.command()
@_json
@_model
@_adapter
@click.pass_obj
def doctor(app: App, json_: bool, **flags: Any) -> int:
    """Check what a turn needs, and say how to mend it.

    Exits with 0 when a turn could run, else with 3.
    """
    from punie_cli import doctor as room
    from punie_cli.printing import print_report

    report = room.examine({"color": app.color, **flags})
    print_report(report, json=json_, color=app.color or "auto")
    return Exit.OK if report.ok else Exit.MISSING


def _compare(made: Any, view: "View", rows: int, json: bool) -> None:
    """Compare a model that was just made with what it was made of, and show both."""
    from punie_cli import listings
    from punie_cli.printing import print_fields
    from punie_cli.training.equivalence import check

    report = None
    try:
        if rows:
            report = check(made.folder, count=rows, note=view.rows)
    except BaseException:
        view.note(f"{made.name} is complete, and not compared: punie models compare {made.name}")
        raise
    finally:
        view.idle()
    if report is None:
        view.note(f"{made.name} was not compared with what it was made of (--check-rows 0)")
    print_fields(listings.made(made, report, json=json), json=json)


def _standing(view: "View", settings: "Settings", root: Path) -> Any:
    from punie_cli.permits import Standing

    return Standing(root, settings.mode, frozenset(settings.allow), view.note)


def _approver(view: "View", settings: "Settings", root: Path) -> Any:
    from punie_cli.chat.approve import person
    from punie_cli.permits import unattended
    from punie_cli.terminal import Lines, is_interactive

    standing = _standing(view, settings, root)
    return person(view, Lines(sys.stderr).ask, standing) if is_interactive() else unattended(standing)


def _offer_trust(root: Path) -> None:
    """Ask once about what a folder wants to set; the answer holds until it wants something else."""
    from punie_cli import projects, trust

    wish = projects.undecided(root)
    if wish is None:
        return
    click.echo(f"{wish.root} brings settings along:", err=True)
    for line in wish.lines:
        click.echo(f"  {line}", err=True)
    trust.decide(wish.root, wish.digest, trusted=click.confirm("Apply them, now and later?", err=True))


def run(args: list[str], app: App | None = None) -> int:
    """Run one command line and return its exit code; failures are written to stderr, and never raised."""
    app = app or App()
    try:
        return _run(args, app)
    except BrokenPipeError:
        return Exit.FAILED
    finally:
        if app.recorder is not None:
            app.recorder.close()
        _let_go(sys.stdout)
        _let_go(sys.stderr)


def _let_go(stream: Any) -> None:
    """A stream whose reader or disk has gone is given up: Python would complain once more at its end."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(args: list[str], app: App) -> int:
    options = args[: args.index("--")] if "--" in args else args
    app.json = "--json" in options
    app.debug = "--debug" in options
    try:
        result = cli.main(args, prog_name="punie", standalone_mode=False, obj=app)
        sys.stdout.flush()
        return int(result) if isinstance(result, int) else Exit.OK
    except BrokenPipeError:
        raise
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path if context else 'punie'} --help"
        return _fail(app, PunieError(error.format_message(), hint), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail(app, InterruptedByUser("interrupted"))
    except PunieError as error:
        return _fail(app, error)
    except Exception as error:
        return _unforeseen(app, error)


def _unforeseen(app: App, error: Exception) -> int:
    from punie_cli.terminal import is_gone

    if is_gone():
        return _fail(app, InterruptedByUser("the terminal was closed"))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        of = error.filename or "what stdout goes to"
        return _fail(app, PunieError(f"{of} cannot be written: {error.strerror}", "df -h"))
    return _crash(app, error)


def _fail(app: App, error: PunieError, code: int | None = None) -> int:
    code = int(error.exit_code if code is None else code)
    # Where it cannot be said, the exit code still tells.
    with contextlib.suppress(OSError):
        _say(app, error, code)
    return code


def _say(app: App, error: PunieError, code: int) -> None:
    if isinstance(error, InterruptedByUser) and sys.stderr.isatty():
        # Behind the ^C that the terminal shows.
        click.echo(err=True)
    click.echo(f"Error: {error.message}", err=True)
    if error.hint:
        click.echo(f"Try: {error.hint}", err=True)
    if app.recorder is not None and app.recorder.begun:
        from punie_cli.agent.events import Failed

        app.recorder.note(Failed(code, error.message, error.hint))
    elif app.json:
        import json

        fields = {"type": "error", "session": None, "step": 0, "exit": code}
        _print_line(json.dumps(fields | {"message": error.message, "hint": error.hint}))


def _crash(app: App, error: Exception) -> int:
    import traceback

    from punie_cli.paths import log_file

    text = "".join(traceback.format_exception(error))
    if app.debug:
        click.echo(text, err=True, nl=False)
    try:
        log_file().parent.mkdir(parents=True, exist_ok=True)
        with log_file().open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"punie {__version__} {' '.join(sys.argv[1:2])}\n{text}\n")
        place = f"the traceback is in {log_file()}"
    except OSError:
        place = f"{log_file()} cannot be written"
    summary = traceback.format_exception_only(error)[-1].strip()
    return _fail(app, PunieError(f"punie crashed: {summary}; {place}", "punie --debug … shows the traceback"))


def main() -> None:
    """The `punie` command."""
    _open_what_is_closed()
    sys.exit(run(sys.argv[1:]))


def _open_what_is_closed() -> None:
    """After `punie >&-`: no file that is opened later gets the number of stdin, stdout or stderr."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
