"""docs/chat.md: what a chat is, and its commands and keys, from their tables."""

from punie_cli.chat.helping import BANG, grouped
from punie_cli.chat.keys import KEYS

_HEAD = """# Chat

Made from the program by `python -m punie_cli.docs`; a test says when it is not current.

`punie chat` talks in the terminal until `/exit` or Ctrl-D. A message that begins with a slash and the name of a command
is one, `/etc/hosts` is not. How the line is edited is on a page of its own: [Writing a message](prompt.md).

## Commands
"""

_KEYS = """
## Keys

| key | what it does |
|---|---|
"""

_PROSE = """
## What answers

`/model` shows the model, its adapter, the hash of its prompt, the context, memory, speed and the builtins that it was
trained with. `/model NAME` lets another model of the store answer, with the adapter that ships for it or is in use
with it. Its memory is looked at first: where both do not fit, the present one is given up before the other is loaded;
where it would not fit even then, nothing is done. Where loading fails, the present one stays, or is loaded again.

`/phase N` puts the adapter of a phase on the model that runs, without loading the model again: only the layers that
the last adapter had changed are read from the disk. The result has the same bits as a new start. `/phase NAME` takes
an adapter by its name, `/phase none` none. An adapter brings the prompt and the builtins that it was trained with; one
that was trained on other weights is refused.

Either way the conversation goes on: it is rendered anew, and read once. The session keeps who answered from when on
(`switched` in [the machine interface](json.md)). What is in use for the next start is not touched; `punie use` and
`punie models use` set that.

## AGENTS.md and `/system`

What a project wants the model to know stands in files called `AGENTS.md`. Read are, in this order:

1. the one in the user's configuration folder,
2. the one in the root of the workspace,
3. those in the folders from there down to the one that punie was started in.

Of each at most 8 KiB are read, and together they get at most a quarter of the model's context, cut at the end of a
line; what is left out is told. A link that leads out of the project is not followed. Their tokens are shown when a
chat starts. At each turn they are read again if they have changed; then the conversation is read anew behind the
prompt, which takes a moment, and that is told too. `punie ask` reads them as well. `agents_md = false` in [the
settings](settings.md) switches them off.

`/system TEXT` adds a text of your own before them for this chat, `/system clear` takes it away.

Both are text for the model and nothing else: no permission comes of them. They stand before the first message, outside
of the prompt that an adapter was trained with. A small model may not heed them.

## A long conversation

`/context` shows what the next prompt is made of: the core (system text and builtins), the tail (AGENTS.md, `/system`),
and each turn.

When less than `max_tokens` would be left for a reply, the conversation is compacted, and a line says so. The oldest
turns go first: outputs of their programs are shortened to head and tail; if that is not enough, whole turns become one
line each, the prompt and the first line of the answer; if even the lines are too many, the oldest are left out. The
last turn always stays whole. It is done in one step to half of what there is room for, so that it comes rarely: what
follows the change is read again. No model is asked for a summary. `/compact` does the same at once, to half of what is
used.

Only what the model reads is shortened. The session keeps everything, with a record of what was done (`compact`).

A single turn that is longer than the context is an error; `/new` begins anew.

`/cost` shows tokens that were read, that were in the cache already and that were written, seconds and speed, by turn.
"""


def chat_page() -> str:
    """docs/chat.md."""
    parts = [_HEAD]
    for title, group in grouped():
        rows = [(command.usage, command.doc) for command in group]
        if any(command.name == "/help" for command in group):
            rows.append(BANG)
        parts.append(f"\n### {title}\n\n| command | what it does |\n|---|---|\n")
        parts += [f"| `{_cell(usage)}` | {_cell(doc)} |\n" for usage, doc in rows]
    keys = "".join(f"| {_cell(key.label)} | {_cell(key.doc)} |\n" for key in KEYS)
    return "".join([*parts, _KEYS, keys, _PROSE])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
