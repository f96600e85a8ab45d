"""What the next program may name: the project as it is now, and the words of the conversation."""

import inspect
from collections.abc import Sequence

from punie_cli.agent.messages import Message
from punie_cli.builtins.registry import Registry
from punie_cli.engine.names import Argument, Names, parts_of, words_of
from punie_cli.workspace import Workspace

# Their words are options and paths, and nothing else.
_READERS = frozenset({"ls", "cat", "head", "tail", "wc"})


def names_for(
    registry: Registry, workspace: Workspace, messages: Sequence[Message], tail: str | None = None
) -> Names | None:
    """The names for the next reply; None where the project is too large to be listed for each."""
    found = workspace.listing()
    if found is None:
        return None
    heard = (message for message in messages if message.role in ("user", "output"))
    texts = [text for message in heard for text in (message.text, message.error) if text]
    texts += [tail] if tail else []
    return Names(
        found.files,
        found.folders,
        found.unlisted,
        words_of(texts),
        path_arguments(registry),
        _READERS,
        parts_of(texts),
    )


def path_arguments(registry: Registry) -> tuple[Argument, ...]:
    """The parameters that take paths, from the declarations of the builtins.

    A path beside a `text` is one to write to; one whose description has `::` may name a test.
    """
    found = []
    for name in registry.names:
        parameters = registry[name].parameters
        writes = any(parameter.name == "text" for parameter in parameters)
        for index, parameter in enumerate(parameters):
            if parameter.name == "path":
                kind = "new" if writes else "test" if "::" in parameter.doc else "path"
                optional = kind != "new" and parameter.default is not inspect.Parameter.empty
                found.append(Argument(name, parameter.name, index, kind, optional))
            elif parameter.name == "command":
                found.append(Argument(name, parameter.name, index, "command"))
    return tuple(found)
