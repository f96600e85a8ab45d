"""docs/sandbox.md, written from what the sandbox has; `python -m punie_cli.docs` writes it."""

from punie_cli.sandbox.facades import MAX_SLEEP_S, Importer, module_names
from punie_cli.sandbox.host import MAX_FRAME, Limits
from punie_cli.sandbox.policy import MAX_SOURCE
from punie_cli.sandbox.records import MAX_DEPTH
from punie_cli.sandbox.scope import GUARDED, PLAIN
from punie_cli.sandbox.sizes import MAX_BITS, MAX_BYTES
from punie_cli.sandbox.worker import MAX_ARGUMENT

# Their names depend on the version of Python.
_WHOLE = ("itertools", "math")

_PAGE = """\
# The sandbox

A model acts by writing Python programs. They run in a process of their own that has no files, no network and no
environment; all that they can do outside is call the [builtins](builtins.md), which the main process carries out,
inside the workspace and after the approvals. `punie exec FILE` runs a program the same way.

## What a program may do

Python as it is: functions, closures, generators, classes with inheritance, operators, properties and private names,
dataclasses, enums, `match`, `with`, comprehensions, f-strings, exceptions of its own. Annotations are dropped without
being evaluated, so they may name anything. Names survive from one program of a turn to the next.

Without import there are `print`, `json`, the exceptions, the builtins, and these:

{plain}

With the rules of the sandbox: {guarded}.

`type` takes one argument, `vars` an instance of the program's own classes, and `getattr` and its like follow the same
rules as attributes do.

| module | names |
|---|---|
{modules}

`typing` does nothing: its names can be written, and that is all. `sys.stdout` is the output; `sys.argv` is empty.

## Limits

| what | limit | then |
|---|---|---|
| CPU time of a program | {cpu:g} s | the worker is killed: `LimitError` |
| wall time, without the time in calls | {wall:g} s | the same |
| memory beyond what the worker starts with | {memory} MiB | `MemoryError`, and the worker lives on |
| output that is kept | {output} KiB | three quarters from its head, the rest from its tail, and how much is left out |
| output in all | {output_total} KiB | the worker is killed: `LimitError` |
| calls of builtins, refused ones too | {calls} | the same |
| an argument of a call | {argument} MiB, {depth} levels | `ValueError`, `TypeError` |
| a frame between the processes | {frame} MiB | a worker that sends more is killed |
| one `time.sleep` | {sleep:g} s | `PolicyError` |
| an integer from `*`, `**`, `<<` | {bits:,} bits | `OverflowError` |
| a repeated sequence | {sequence} MiB | `MemoryError` |
| the program itself | {source:,} characters | `PolicyError` |
| depth of calls | 1,000 | `RecursionError` |

Each program starts with fresh limits. A killed worker takes all names of the turn with it; the error says so, and the
next program gets a new worker. Nothing is tried again by itself.

## What is refused

Every refusal, with a program and its error: [Limitations of programs](limitations.md).

## Side by side

`benchmarks/sandbox_corpus.py` runs the programs of `tests/corpus` in two other sandboxes too: smolagents 1.26.0
(`LocalPythonExecutor`, an interpreter in the same process) and pydantic-monty 1.4.0 (an interpreter of its own, in a
process of its own), each with 1 s of time, monty with 64 MiB; 25 November 2026, Python 3.11, Linux, two busy cores.

Hostile programs that need only the language: how many got what they wanted or, in the classes of exhaustion, kept their
host from going on within 5 s, took more than 1 GiB or ended it.

| class | programs | punie | smolagents | monty |
|---|---|---|---|---|
| attribute walks | 29 | 0 | 1 | 1 |
| format strings | 21 | 0 | 14 | 0 |
| frames and generators | 14 | 0 | 2 | 0 |
| objects of exceptions | 14 | 0 | 3 | 0 |
| class tricks | 50 | 0 | 19 | 3 |
| pattern matching | 13 | 0 | 0 | 0 |
| annotations | 11 | 0 | 0 | 1 |
| text that lies | 7 | 0 | 4 | 0 |
| functions and decorators | 23 | 0 | 3 | 1 |
| exhaustion: time | 22 | 0 | 17 | 0 |
| exhaustion: memory | 29 | 0 | 22 | 0 |
| exhaustion: stack | 15 | 0 | 5 | 0 |
| exhaustion: output and calls | 8 | 0 | 4 | 0 |
| leaks of modules | 54 | 0 | 1 | 2 |
| imports | 31 | 0 | 0 | 0 |
| shared state | 14 | 0 | 5 | 0 |
| **all** | 355 | 0 | 100 | 8 |

What counts for punie need not be harm elsewhere: class tricks and shared state are named by punie's rules. All that
monty's programs reached is in its own interpreter, none of it the host's. Those of smolagents reached real objects of
the process that runs it, a frame among them; its makers say that it is no boundary. punie was mended for
this corpus: at first four kinds of its programs got through ([the corpus](../tests/corpus/README.md)).

Ordinary programs: how many printed exactly what Python prints. The builtins are functions there that answer the same;
smolagents+ is smolagents with all of punie's modules authorised.

| class | programs | punie | smolagents | smolagents+ | monty |
|---|---|---|---|---|---|
| the language | 48 | 48 | 23 | 23 | 31 |
| comprehensions | 7 | 7 | 6 | 6 | 7 |
| generators | 8 | 8 | 2 | 2 | 1 |
| match | 7 | 7 | 0 | 0 | 6 |
| exceptions | 8 | 8 | 3 | 3 | 3 |
| classes | 15 | 15 | 3 | 4 | 3 |
| modules | 31 | 31 | 10 | 22 | 7 |
| text | 9 | 9 | 8 | 9 | 8 |
| algorithms | 16 | 16 | 12 | 13 | 13 |
| functions | 5 | 5 | 0 | 1 | 1 |
| results of checks | 25 | 25 | 21 | 21 | 22 |
| files | 15 | 15 | 12 | 13 | 13 |
| JSON, CSV and TOML | 17 | 17 | 8 | 14 | 14 |
| commands | 7 | 7 | 7 | 7 | 7 |
| **all** | 218 | 218 | 115 | 138 | 136 |

## Covered

1. The language ([RestrictedPython](https://restrictedpython.readthedocs.io/) with rules of our own): every attribute
   that is read or written passes a guard; no frame, code object, traceback, module or metaclass is within reach.
   Its makers call it a second line of defence. So do we: it gives a model errors that it can mend.
2. The process: `python -I` with an empty environment starts once and never holds the model; it forks a worker for each
   turn. A worker has `/dev/null` three times and one socket. The main process checks each frame and trusts none.
3. The kernel (Linux): no new privileges, no new descriptors, no files, no processes, no core dumps, limits on CPU and
   memory, and a filter that refuses all system calls but those for memory, time and the open socket: no open, stat,
   remove, rename, socket, fork, exec or kill, even if the language were broken. `punie doctor` says which layers this
   machine has.

A worker that dies, whatever the reason, takes nothing else with it. If punie is killed, its workers end.

## Not covered

- What a builtin does after it was approved. A command or a test that you allow runs outside this sandbox,
  [enclosed](commands.md) by the operating system.
- What a model reads: a file in the workspace can tell it to ask for something harmful. Look at what you approve.
- Side channels, such as how long something takes.
- Faults of the kernel, and of the interpreter where the filter is missing.

macOS has no limit on the address space and no such filter: the main process looks at the worker's memory every 25 ms
and kills it, and the third layer is limits on CPU, descriptors, file size and processes. No Apple sandbox profile is
used. Nothing of this was ever run there.
"""


def _modules() -> list[str]:
    modules = Importer(lambda text: None).modules
    rows = []
    for name in module_names(modules):
        names = sorted(n for n in vars(modules[name]) if not n.startswith("_"))
        shown = "all public names" if name in _WHOLE else ", ".join(f"`{n}`" for n in names)
        rows.append(f"| `{name}` | {shown} |")
    return rows


def sandbox_page() -> str:
    """The page as Markdown."""
    limits = Limits()
    return _PAGE.format(
        plain=", ".join(f"`{name}`" for name in PLAIN),
        guarded=", ".join(f"`{name}`" for name in GUARDED),
        modules="\n".join(_modules()),
        cpu=limits.cpu_s,
        wall=limits.wall_s,
        memory=limits.memory_mb,
        output=limits.output_bytes // 1024,
        output_total=limits.output_total // 1024,
        calls=limits.calls,
        argument=MAX_ARGUMENT // 2**20,
        depth=MAX_DEPTH,
        frame=MAX_FRAME // 2**20,
        sleep=MAX_SLEEP_S,
        bits=MAX_BITS,
        sequence=MAX_BYTES // 2**20,
        source=MAX_SOURCE,
    )
