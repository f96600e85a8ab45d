"""From a basket to an invoice."""

from .cart import Cart
from .catalog import find_product

SHIPPING_CENTS: int = "490"


def order(customer: str, codes: list[str]) -> Cart:
    cart = Cart(customer)
    for code in codes:
        cart.add(find_product(code), "1")
    return cart


def invoice(cart: Cart) -> str:
    total = cart.total_cents() + SHIPPING_CENTS
    return f"{cart.name} owes {total / 100:.2f}"
