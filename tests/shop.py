"""A small project with one fault for each tool, cases over it, and replies to them."""

from typing import Any

from punie_cli.evaluation.suites import Case, Expect
from tests.command_line import program

CART = "def total(prices: list[int]) -> int:\n    return str(sum(prices))\n"
MENDED = CART.replace("str(sum(prices))", "sum(prices)")
STOCK = "import os\n\n\ndef count(items: list[str]) -> int:\n    return len(items)\n"
CHECK = "from shop.cart import total\n\n\ndef test_total() -> None:\n    assert total([1, 2]) == 3\n"
FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": CART,
    "shop/stock.py": STOCK,
    "tests/test_cart.py": CHECK,
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n\n[tool.pytest.ini_options]\npythonpath = ["."]\n',
    "old.py": "x = 1\n",
}

DONE = "Done."


def case(expect: dict[str, Any], *prompts: str, files: dict[str, str] = FILES, **more: Any) -> Case:
    """A case over the project; `prompts` are its turns."""
    return Case(name="it", prompts=prompts or ("do it",), files=files, expect=Expect(**expect), **more)


def write(path: str, text: str) -> str:
    """A reply that writes a file."""
    return program(f"print(write_file({path!r}, {text!r}))")


CHECKS_CART = {"builtin": "typecheck", "args": {"path": "shop/cart.py"}}
SEEN = "shop/cart.py has 1 type error, on line 2."
MEND = write("shop/cart.py", MENDED)
WRITES = frozenset({"write"})
