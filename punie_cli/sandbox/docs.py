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
