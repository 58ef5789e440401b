"""Names and ID numbers as they may be shown."""


def mask_name(name: str) -> str:
    """The first character (of a Latin name: of each word), the rest as stars: 张三丰 → 张**, Ada King → A** K***."""
    words = name.split() if name.isascii() else [name.strip()]
    return " ".join(word[:1] + "*" * (len(word) - 1) for word in words)


def mask_id(number: str) -> str:
    """First and last two characters of an ID number; of one with fewer than eight only its length."""
    number = number.strip()
    return "*" * len(number) if len(number) < 8 else f"{number[:2]}{'*' * (len(number) - 4)}{number[-2:]}"  # noqa: PLR2004
