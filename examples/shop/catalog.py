"""What the shop sells."""

from dataclasses import dataclass


@dataclass
class Product:
    code: str
    title: str
    cents: int


PRODUCTS = [
    Product("T-100", "Teapot", 2450),
    Product("C-210", "Cup", "690"),
]


def find_product(code: str) -> Product:
    return next((product for product in PRODUCTS if product.code == code), None)
