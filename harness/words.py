"""Numbers with their nouns, singular or plural."""


def counted(number: int, noun: str) -> str:
    """Return "1 record", "2,000 records" or "3 families" from a noun in the singular."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"
