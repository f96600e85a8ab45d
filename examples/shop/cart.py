"""The basket of one customer."""

from dataclasses import dataclass, field

from .catalog import Product


@dataclass
class Cart:
    customer: str
    lines: list[tuple[Product, int]] = field(default_factory=list)

    def add(self, product: Product, quantity: int = 1) -> None:
        self.lines.append((product, quantity))

    def total_cents(self) -> int:
        return sum(product.cents * quantity for product, quantity in self.lines)
