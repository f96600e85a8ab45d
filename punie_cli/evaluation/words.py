"""What a text says: whole words, quantities, and that something was not done or is not there."""

import re

NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
# A number after these is a place in a file, not a quantity.
_PLACE = re.compile(r":\d+(:\d+)?|\blines?\s+\d+((,|\s+and|\s+or|-)\s*\d+)*", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_FINDINGS = r"(?:errors?|problems?|issues?|findings?|violations?|faults?|failures?|warnings?)"
_NONE = re.compile(
    rf"\b(?:no(?! such| other)|without(?! other))\s+(?:\w+\s+){{0,2}}?(?:{_FINDINGS}|match(?:es)?|files?|tests?)\b"
)
_CLEAN = re.compile(rf"\b(?:no|without)\s+(?:\w+\s+){{0,2}}?{_FINDINGS}\b")
_DONE = r"(?:written|changed|run|checked|made|read|created|saved|tested)"
_NOT_DONE = re.compile(
    r"\b(?:refus\w+|declin\w+|denied|not (?:allowed|permitted)|could not|couldn't|cannot|can't|unable|not found|"
    r"no such|not there|(?:does|do|did) not exist|(?:doesn't|don't|didn't) exist|is missing|not installed|"
    r"(?:is|are|was|were)n't (?:there|here|installed|allowed|found)|there (?:is|are|was|were) no|(?:has|have|had) no|"
    rf"not (?:\w+ )?{_DONE}|nothing was {_DONE}|(?:was|were|is|are)n't {_DONE})\b"
)


def says(text: str, words: str) -> bool:
    """True if `words` stands in `text` in any letter case, not as a part of a longer word or number."""
    text, words = (value.replace("’", "'").casefold() for value in (text, words))
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    return re.search(rf"(?<!\w)(?<!\d\.){pattern}(?!\w)(?!\.\d)", text) is not None


def states(text: str, number: int) -> bool:
    """True if `text` has `number` as a quantity, in digits (3000 or 3,000) or as a word; line numbers do not count.

    Zero is also stated by `no errors` and the like.
    """
    text = _THOUSANDS.sub("", _PLACE.sub(" ", text))
    if 0 <= number < len(NUMBER_WORDS) and says(text, NUMBER_WORDS[number]):
        return True
    return says(text, str(number)) or (number == 0 and none_found(text))


def none_found(text: str) -> bool:
    """Whether a text says that there are no errors, findings, matches, files or tests."""
    return _NONE.search(text.casefold()) is not None


def not_done(text: str) -> bool:
    """Whether an answer says that something was refused, failed or is not there; `no errors` is no such thing."""
    return _NOT_DONE.search(_CLEAN.sub(" ", text.replace("’", "'").casefold())) is not None
