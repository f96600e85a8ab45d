"""Texts that are easily cut short or mended when they are copied: commas, quotes, symbols, indents, several lines."""

import json
from random import Random

from punie_cli.rows import names


def odd_line(rng: Random) -> str:
    """One line that neither begins nor ends with a space."""
    a, b, c, d, e = (names.word(rng) for _ in range(5))
    n, m = rng.randint(2, 99), rng.randint(100, 9999)
    return rng.choice(
        [
            f"{_day(rng)},{a[0].upper()}{n % 9 + 1},{n},{rng.choice(['yes', 'no'])},{n % 7},{b} {c}",
            f"{a}, {b} {c}, {n}, {d}, {e}",
            f"{a};{n};{b} {c};{m};{d}",
            f"- [ ] {names.verb(rng)} the {a} {b} (see #{m})",
            f"* {a}: {b}, {c} ({d} first, then {e})",
            f'{a.capitalize()} said "{b} {c}" at {n % 12 + 1}:30, twice',
            f"it's {a.capitalize()}'s {b}, isn't it",
            f"don't {names.verb(rng)} the {a}; {b.capitalize()} won't like it!",
            f"{a} -> {b} -> {c} -> {d}",
            f"{a}_{b} = {n}  # {c}, {d} and {e}",
            f"export {a.upper()}_{b.upper()}='{c} {d}'",
            f"{n} % of {a} / {b} | {c} & {d}",
            f"Größe: {n} µm, {a} – {b}",
            f"café {a}, naïve {b}, £{n}.50 → €{m}",
            f"{a} ≥ {n}, {b} ≤ {m}, {c} ≠ {d}",
            f"✅ {a} {b}, ❌ {c} {d}",
            f"C:\\{a}\\{b}\\{c}.txt, {d}",
            f'print("{a}, {b}", {c}[{n}], sep=", ")',
            f"return {{{a!r}: {n}, {b!r}: [{m}, {n}]}}",
            f"def {a}({b}: int, {c}: str = '{d}') -> None: ...",
            f"{a} = [x for x in {b} if x.{c} > {n}]",
            f"https://{a}.example/{b}/{c}?{d}={n}&{e}=yes#top",
            f"| {a} | {n} | {b} {c} | {m} |",
            f"{n % 60} {n % 24} * * 1-5 /usr/bin/{a} --{b}={c} --quiet",
            f"[{a} {b}](docs/{c}.md) - {d}, {e}",
            f'"{a}": "{b} {c}", "{d}": {n},',
            f"@{a} owns {b}/*, @{c} the rest",
            f"{names.verb(rng).capitalize()} the {a} {b} before {c}; if it fails, ask {d.capitalize()}, not {e}.",
            f"^{a}_\\d+\\.{b}$",
            f"{a.capitalize()}, {b.capitalize()} & Co., {n} {c.capitalize()} Street, {d.capitalize()} {m}",
            f"{_day(rng)} {n % 24:02}:{n % 60:02} {a.upper()} {b}: {c} took {n}.{n % 9}s, {m} left",
            f"# TODO({a}): {names.verb(rng)} {b}, {c} and {d} ({n} of {m})",
            f"{a}@{b}.example, {c}@{d}.example; cc {e}@{b}.example",
            f"{a} {b} {c} {d} {e} {n} {m}",
            f"<{a} {b}=\"{c}\" {d}='{n}'/>",
            f"$ {a} --{b} {c}/{d}.{rng.choice(['log', 'tmp'])} | {e} -n {n} > {b}.out",
            f"{a.capitalize()} {b}... {c}? {d}! ({e}, {n} %)",
            f"Q{n % 4 + 1}: {a} {n}, {b} {m}, {c} -, {d} n/a, {e} {n + 3}",
        ]
    )


def odd_row(rng: Random, header: list[str]) -> str:
    """A CSV row with as many cells as the header; often with spaces, quotes or an empty cell in it."""
    cells = [rng.choice([names.word(rng), names.phrase(rng), f"{names.word(rng)[0].upper()}{rng.randint(1, 99)}"])]
    for _ in header[1:]:
        cells.append(
            rng.choice(
                [
                    str(rng.randint(1, 4000)),
                    str(rng.randint(1, 400)),
                    f"{rng.randint(1, 90)}.{rng.randint(10, 99)}",
                    names.phrase(rng),
                    f"{names.word(rng)} {rng.choice(['off', 'on', 'left', 'n/a'])}",
                    _day(rng),
                    rng.choice(["yes", "no", ""]),
                    f'"{names.word(rng)}, {names.word(rng)}"',
                ]
            )
        )
    if not cells[-1]:
        cells[-1] = names.phrase(rng)
    return ",".join(cells)


def odd_block(rng: Random, ending: str) -> str:
    """Two to six lines of a kind that suits files of this ending; no line end after the last one."""
    a, b, c, d, e = (names.word(rng) for _ in range(5))
    n, m = rng.randint(2, 99), rng.randint(100, 9999)
    plain = [
        f"{a.capitalize()} {b}:\n  - {c}, {d}\n  - {e}: {n}\n    - {names.phrase(rng)}",
        f"- {a} ({n})\n  - {b}, {c}\n  - {d}\n- {e}",
        f"1. {names.phrase(rng)}\n2. {a}: {b}, {c}\n3. {names.verb(rng)} {d}!",
        f"{names.phrase(rng).capitalize()},\n{names.phrase(rng)};\n{a} & {b}, {c} – {d}.",
        f"{odd_line(rng)}\n{odd_line(rng)}",
        f"{odd_line(rng)}\n\n{odd_line(rng)}",
        f"{a}: {b}\n{c}:\n  {d}: {n}\n  {e}: [{n}, {m}]",
    ]
    kinds = {
        "json": [
            json.dumps({a: b, c: [n, m], d: {e: True}}, indent=2),
            json.dumps({a: n, b: f"{c}, {d}", e: None}, indent=2),
            f'{{"{a}": {{"{b}": "{c} {d}", "{e}": {n}}}}}',
            f'[\n  {{"{a}": "{b}", "{c}": {n}}},\n  {{"{a}": "{d}", "{c}": {m}}}\n]',
        ],
        "py": [
            f'def {a}_{b}({c}: str) -> str:\n    return f"{{{c}}}, {d} {e}"',
            f"def {a}({b}: int) -> int:\n    if {b} > {n}:\n        return {b} - {n}\n    return {m}",
            f'{a.upper()} = {n}\n{b.upper()} = "{c}, {d}"\n{e.upper()} = [{n}, {m}]',
            f'for {a} in range({n}):\n    print("{b}:", {a}, sep="{rng.choice([" ", "", "-"])}")',
        ],
        "ini": [
            f"[{a}]\n{b} = {n}\n{c} = {d}, {e}",
            f"[{a}]\n{b}={n}\n\n[{c}]\n{d}={e} {m}",
        ],
        "sh": [
            f"#!/bin/sh\nset -e\ncd {a} && {b} --{c}={n}\necho \"{d}: {e}\"",
            f"export {a.upper()}={n}\n{b} {c}/*.{d} | sort -k{n % 5 + 1} > {e}.txt",
        ],
        "md": [
            f"## {a.capitalize()} {b}\n\n- {c}, {d}\n- `{e} --{a} {n}`",
            f"| {a} | {b} |\n|---|---|\n| {c} {d} | {n} |\n| {e} | {m} |",
            f"### {m % 9}.{n}\n\n- {names.phrase(rng)} (#{m})\n- {a}: \"{b}\" is now \"{c}\"",
        ],
    }  # fmt: skip
    kinds["toml"] = kinds["cfg"] = kinds["ini"]
    return rng.choice(kinds.get(ending, plain) if ending != "md" or rng.random() < 0.5 else plain)


def framed(rng: Random, text: str) -> str:
    """The line between marks that do not occur in it."""
    marks = [mark for mark in ('"', '"', '"', "`", "`", "'") if mark not in text]
    if not marks:
        return f"«{text}»"
    mark = rng.choice(marks)
    return f"{mark}{text}{mark}"


def _day(rng: Random) -> str:
    return f"20{rng.randint(21, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
