"""Operators whose result can be far larger than what goes in: they fail before they try, and say how.

The kernel's limit on memory is the boundary; this turns a kill into an exception that a program can read.
"""

import operator
from collections.abc import Callable
from typing import Any

MAX_BITS = 4_000_000
MAX_BYTES = 64 * 1024 * 1024


def _bytes(value: Any) -> int:
    """Bytes of one repetition of a sequence, roughly; 0 for what is none."""
    if isinstance(value, (str, bytes, bytearray)):
        return len(value)
    return 8 * len(value) if isinstance(value, (list, tuple)) else 0


def _check_product(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
        return
    for sequence, times in ((left, right), (right, left)):
        if isinstance(times, int) and _bytes(sequence) * max(times, 0) > MAX_BYTES:
            raise MemoryError(f"a sequence of more than {MAX_BYTES // 2**20} MiB")


def _check_power(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and abs(base) > 1:
        _check_bits(base.bit_length() * exponent)


def _check_shift(value: Any, by: Any) -> None:
    if isinstance(value, int) and isinstance(by, int):
        _check_bits(value.bit_length() + max(by, 0))


def _check_bits(bits: int) -> None:
    if bits > MAX_BITS:
        raise OverflowError(f"an integer of more than {MAX_BITS} bits")


def multiply(left: Any, right: Any) -> Any:
    """`left * right`. Raises MemoryError or OverflowError before the product is made."""
    _check_product(left, right)
    return left * right


def power(base: Any, exponent: Any, modulo: Any = None) -> Any:
    """`base ** exponent` and the builtin `pow`. Raises OverflowError before the power is made."""
    if modulo is not None:
        return pow(base, exponent, modulo)
    _check_power(base, exponent)
    return base**exponent


def shift_left(value: Any, by: Any) -> Any:
    """`value << by`. Raises OverflowError before the result is made."""
    _check_shift(value, by)
    return value << by


_CHECKS: dict[str, Callable[[Any, Any], None]] = {
    "*=": _check_product,
    "**=": _check_power,
    "<<=": _check_shift,
}
_INPLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv, "%=": operator.imod,
    "**=": operator.ipow, "<<=": operator.ilshift, ">>=": operator.irshift, "|=": operator.ior, "^=": operator.ixor,
    "&=": operator.iand, "//=": operator.ifloordiv, "@=": operator.imatmul,
}  # fmt: skip


def inplace(sign: str, target: Any, value: Any) -> Any:
    """`target sign value`, such as `+=`."""
    if check := _CHECKS.get(sign):
        check(target, value)
    return _INPLACE[sign](target, value)
