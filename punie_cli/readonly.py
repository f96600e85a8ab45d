"""Which commands run without asking: a short list that only reads, with known options, inside the workspace.

An option that is not in the table makes the command one that asks; so does a path outside the workspace, a
file that usually holds secrets, and anything with shell syntax. git is not in the list: `git status` runs
programs that the repository's configuration names.
"""

import re
from dataclasses import dataclass
from typing import Literal

from punie_cli import confine
from punie_cli.approvals import SECRET_NAMES, is_secret
from punie_cli.workspace import Workspace

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_SPECIAL = frozenset(";&|<>$`(){}*?[]~#!\\")
_SED_PRINT = re.compile(r"(\d+|\$)(,(\d+|\$))?p")


@dataclass(frozen=True)
class _Rule:
    """`flags` take no value, `values` take one (attached or next); `operands` says what the rest are."""

    flags: str = ""
    values: str = ""
    long: frozenset[str] = frozenset()
    operands: Literal["paths", "free", "pattern"] = "paths"
    most: int = 1000
    numbers: bool = False  # -20 as in head -20


def _long(*names: str) -> frozenset[str]:
    return frozenset(names)


_SEARCH_LONG = _long(
    "after-context", "before-context", "context", "count", "files-with-matches", "fixed-strings",
    "ignore-case", "invert-match", "line-number", "max-count", "no-filename", "only-matching",
    "with-filename", "word-regexp",
)  # fmt: skip
_GREP_LONG = _SEARCH_LONG | _long("exclude", "exclude-dir", "extended-regexp", "include", "recursive")
_RG_LONG = _SEARCH_LONG | _long("column", "files", "glob", "max-depth", "smart-case", "type")
_LS_LONG = _long("all", "almost-all", "human-readable", "recursive")
_TREE_LONG = _long("dirsfirst", "gitignore", "noreport")
_NEED_VALUE = _long(
    "after-context", "before-context", "context", "exclude", "exclude-dir", "glob", "include", "max-count",
    "max-depth", "type",
)  # fmt: skip

# -R and -L of grep, -l of tree, -L of find and rg are left out: they follow links out of the workspace.
_RULES = {
    "cat": _Rule("AbEensTtuv"),
    "cut": _Rule("s", "bcdf"),
    "echo": _Rule("neE", operands="free"),
    "expr": _Rule(operands="free"),
    "false": _Rule(most=0),
    "grep": _Rule("ErFGPinlLcowvxHhsqIa", "ABCme", _GREP_LONG, "pattern", numbers=True),
    "head": _Rule("qv", "nc", numbers=True),
    "id": _Rule("ugnG", most=0),
    "ls": _Rule("1aABcCdFgGhiklmnopqQrRsStuUvxX", long=_LS_LONG),
    "nl": _Rule("p", "bvwsn"),
    "paste": _Rule("s", "d"),
    "pwd": _Rule("LP", most=0),
    "rev": _Rule(),
    "rg": _Rule("nilcwFSHINovUx", "gtTABCme", _RG_LONG, "pattern"),
    "sed": _Rule("n"),
    "seq": _Rule("w", "sf", operands="free", numbers=True),
    "stat": _Rule("t", "c"),
    "tail": _Rule("qv", "nc", numbers=True),
    "tr": _Rule("cdsC", operands="free"),
    "tree": _Rule("adfhipsDFN", "LIP", _TREE_LONG),
    "true": _Rule(most=0),
    "uname": _Rule("asnrvmpio", most=0),
    "uniq": _Rule("cdiu", "fsw", most=1),  # the second operand is a file that it writes
    "wc": _Rule("clLmw", long=_long("lines", "words", "bytes", "chars")),
    "which": _Rule("a", operands="free"),
    "whoami": _Rule(most=0),
}  # fmt: skip

_FIND_TESTS = _long(
    "-iname", "-ipath", "-iregex", "-maxdepth", "-mindepth", "-mmin", "-mtime", "-name", "-path", "-regex",
    "-size", "-type",
)  # fmt: skip
_FIND_WORDS = frozenset({"-not", "-a", "-and", "-o", "-or", "-print", "-print0", "-empty", "-prune", "-ls"})


def split(command: str) -> list[str] | None:
    """The words of a command that means the same without a shell; None for anything that needs one.

    Raises ValueError for a quote that is not closed, a NUL character, and no words.
    """
    words: list[str] = []
    word: str | None = None
    quote = ""
    script = False
    for character in command:
        if character == "\0":
            raise ValueError("the command has a NUL character")
        if character == quote:
            quote = ""
        elif quote:
            script = script or (quote == '"' and character in "$`\\!") or not character.isprintable()
            word = (word or "") + character
        elif character in "'\"":
            quote = character
            word = word or ""
        elif character in " \t":
            if word is not None:
                words.append(word)
            word = None
        else:
            script = script or character in _SPECIAL or not character.isprintable()
            word = (word or "") + character
    if word is not None:
        words.append(word)
    if quote and not script:
        raise ValueError(f"the command has an open {quote} quote")
    if not words:
        raise ValueError("the command is empty")
    return None if script or _ASSIGNMENT.match(words[0]) else words


def allowed(argv: list[str], workspace: Workspace) -> list[str] | None:
    """The command to run without asking, or None if a person must be asked.

    A search through folders gets options that leave out secret files and .git: not always `argv` itself.
    """
    name, *rest = argv
    if any(not argument.isprintable() for argument in argv):
        return None
    if name == "find":
        return argv if _find_reads(rest, workspace) else None
    rule = _RULES.get(name)
    parsed = _parse(rest, rule, workspace) if rule else None
    if rule is None or parsed is None:
        return None
    names, options, operands = parsed
    paths = list(operands)
    if rule.operands == "pattern" and not names & {"e", "files"}:
        if not paths:
            return None
        del paths[0]
    if name == "sed" and ("n" not in names or not paths or not _SED_PRINT.fullmatch(paths.pop(0))):
        return None
    if rule.operands == "free":
        return argv
    if len(paths) > rule.most or not all(_inside(path, workspace) for path in paths):
        return None
    if name == "rg" or (name == "grep" and names & {"r", "recursive"}):
        if any(".git" in path.casefold().split("/") for path in paths):
            return None
        # As the last options: of an include and an exclude that contradict each other the last one wins.
        return [name, *options, *_without_secrets(name), "--", *operands]
    return argv


def _parse(arguments: list[str], rule: _Rule, workspace: Workspace) -> tuple[set[str], list[str], list[str]] | None:
    """Names of the options, the options as they stand, the operands; None for an option not in the rule."""
    names: set[str] = set()
    options: list[str] = []
    operands: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            operands += waiting
            break
        if argument == "-" or not argument.startswith("-"):
            operands.append(argument)
            continue
        options.append(argument)
        if rule.numbers and argument[1:].isdecimal():
            continue
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            known = name in rule.long and (name in _NEED_VALUE or not equals)
            takes = name in _NEED_VALUE and not equals
        else:
            flags, name, value = _letters(argument[1:], rule)
            names |= flags
            known = name == "" or name in rule.values
            takes = name != "" and not value
        if not known:
            return None
        if takes:
            value = next(waiting, None)
            if value is None:
                return None
            options.append(value)
        names.add(name)
        # What takes a value here may be a plain flag on another system, and some systems read no options after
        # the first operand: then the value is a path.
        is_pattern = name == "e" and not operands
        if value and not is_pattern and not _inside(value, workspace):
            return None
    return names, options, operands


def _letters(letters: str, rule: _Rule) -> tuple[set[str], str, str]:
    """Flags in a group such as `rnA3`, the first letter that is none ("" without one), and the rest."""
    for index, letter in enumerate(letters):
        if letter not in rule.flags:
            return set(letters[:index]), letter, letters[index + 1 :]
    return set(letters), "", ""


def _find_reads(arguments: list[str], workspace: Workspace) -> bool:
    waiting = iter(arguments)
    paths = True
    for argument in waiting:
        if argument.startswith("-") or argument in {"!", "(", ")"}:
            paths = False
            if argument in _FIND_TESTS:
                if next(waiting, None) is None:
                    return False
            elif argument not in _FIND_WORDS and argument not in {"!", "(", ")"}:
                return False
        elif not paths or not _inside(argument, workspace):
            return False
    return True


def _inside(operand: str, workspace: Workspace) -> bool:
    """True for a path in the workspace that holds no secret by its name; it need not exist."""
    if operand == "-":
        return True
    try:
        relative = confine.resolve(workspace.root, operand)
    except (OSError, ValueError):
        return False
    return not is_secret(relative) and not is_secret(operand)


def _without_secrets(name: str) -> list[str]:
    patterns = [_any_case(pattern) for pattern in SECRET_NAMES]
    if name == "rg":
        return [word for pattern in (*patterns, ".git") for word in ("--glob", f"!{pattern}")]
    return [*(f"--exclude={pattern}" for pattern in patterns), "--exclude-dir=.git"]


def _any_case(pattern: str) -> str:
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in pattern)
