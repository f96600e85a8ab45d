"""Functions as they are described in words, each with the code that is right; see `data/rows/described.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from random import Random
from string import Template
from typing import Any

from punie_cli.paths import shipped
from punie_cli.rows import names


@dataclass(frozen=True)
class Described:
    """One function with chosen names and numbers."""

    name: str
    signature: str
    code: str
    does: str
    """Goes on after `it`."""
    rule: str
    """Stands after a colon."""


@cache
def descriptions() -> list[dict[str, Any]]:
    """All of them, as the file has them."""
    with shipped("rows", "described.toml").open("rb") as file:
        return tomllib.load(file)["function"]


def described(rng: Random) -> Described:
    """Any of them."""
    entry = rng.choice(descriptions())
    slots = {key: rng.choice(entry[key]) for key in ("a", "b") if key in entry}
    name = rng.choice(entry["names"])
    if rng.random() < 0.4:
        name = f"{names.word(rng)}_{name}"
    return fill(entry, name, slots | {"n": rng.randint(2, 30), "m": rng.randint(31, 900)}, rng)


def fill(entry: dict[str, Any], name: str, slots: dict[str, Any], rng: Random) -> Described:
    """One of them with this name and these slots."""

    def put(text: str) -> str:
        return Template(text).substitute(slots)

    signature = name + put(entry["head"])
    body = "".join(f"    {line}\n" for line in put(entry["body"]).split("\n"))
    does, rule = put(rng.choice(entry["does"])), put(rng.choice(entry["rule"]))
    return Described(name, signature, f"def {signature}:\n{body}", does, rule)
