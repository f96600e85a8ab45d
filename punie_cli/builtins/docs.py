"""docs/builtins.md, written from the declarations: `python -m punie_cli.builtins.docs > docs/builtins.md`."""

import inspect
import sys

from pydantic import BaseModel

from punie_cli.builtins.registry import Registry, item_model, type_text

_INTRO = """# Builtins

The functions that a program may call: without `await`, without an import, arguments by position or by name.
A result prints as the text that a person reads; its fields are read as `result.field`. What goes wrong raises
an ordinary Python exception that a program can catch.

Paths are relative to the workspace. A path that leads out of it raises `PermissionError`; one that is not
there raises `FileNotFoundError`, which names the nearest that are.
"""


def builtins_page() -> str:
    """The page as Markdown: one section for each of the default builtins."""
    registry = Registry()
    return "\n".join([_INTRO, *(_section(registry, name) for name in registry.names)])


def _section(registry: Registry, name: str) -> str:
    declaration = registry[name]
    details = declaration.doc.partition("\n")[2].strip()
    parts = [f"## {name}", f"```text\n{registry.stub(name)}\n```", details]
    parts.append("\n".join(f"- `{parameter}`: {parameter.doc}" for parameter in declaration.parameters))
    if issubclass(declaration.returns, BaseModel):
        models = {item_model(field.annotation): None for field in declaration.returns.model_fields.values()}
        parts += [_fields(model) for model in (declaration.returns, *models) if model is not None]
    return "\n\n".join(parts) + "\n"


def _fields(model: type[BaseModel]) -> str:
    rows = [f"- `.{name}: {type_text(field.annotation)}`" for name, field in model.model_fields.items()]
    return "\n".join([f"**{model.__name__}**: {inspect.cleandoc(model.__doc__ or '')}", "", *rows])


if __name__ == "__main__":
    sys.stdout.write(builtins_page())
