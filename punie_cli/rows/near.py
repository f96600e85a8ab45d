"""Questions that are, or nearly are, what a suite asks: a model that was trained on them is not tried by it."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from punie_cli.rows.row import normalise

# Characters of a gram, and the Jaccard index of two sets of grams from which on questions count as near.
GRAM = 5
NEAR = 0.5


def grams(question: str) -> set[str]:
    """Runs of five characters of a normalised question; a shorter one is its own run."""
    return {question[i : i + GRAM] for i in range(max(1, len(question) - GRAM + 1))}


class HeldOut:
    """Prompts that no row may ask. A look-up takes time by the grams that are shared, not by the prompts."""

    def __init__(self, prompts: Iterable[str]) -> None:
        self._prompts = list(dict.fromkeys(normalise(prompt) for prompt in prompts))
        self._exact = set(self._prompts)
        self._sizes = [len(grams(prompt)) for prompt in self._prompts]
        self._holders: defaultdict[str, list[int]] = defaultdict(list)
        for number, prompt in enumerate(self._prompts):
            for gram in grams(prompt):
                self._holders[gram].append(number)

    def nearest(self, question: str) -> tuple[str, float] | None:
        """The nearest prompt to a normalised question with its index, 1.0 for the same; None below NEAR."""
        if question in self._exact:
            return question, 1.0
        found = grams(question)
        shared = Counter(number for gram in found for number in self._holders.get(gram, ()))
        best, index = 0, 0.0
        for number, common in shared.items():
            if (value := common / (len(found) + self._sizes[number] - common)) > index:
                best, index = number, value
        return (self._prompts[best], index) if index >= NEAR else None
