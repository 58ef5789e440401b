"""Names, ID numbers and contacts as they may be shown."""


def mask_name(name: str) -> str:
    """The first character (of a Latin name: of each word), the rest as stars: 张三丰 → 张**, Ada King → A** K***."""
    words = name.split() if name.isascii() else [name.strip()]
    return " ".join(word[:1] + "*" * (len(word) - 1) for word in words)


def mask_id(number: str) -> str:
    """First and last two characters of an ID number; of one with fewer than eight only its length."""
    number = number.strip()
    return "*" * len(number) if len(number) < 8 else f"{number[:2]}{'*' * (len(number) - 4)}{number[-2:]}"  # noqa: PLR2004


def mask_phone(number: str) -> str:
    """The first three and last two characters of a number in E.164: +8613812345678 → +86*********78."""
    return f"{number[:3]}{'*' * (len(number) - 5)}{number[-2:]}"


def mask_email(address: str) -> str:
    """First characters and the top-level domain: zhang@mail.example.com → z***@m***.com. Lengths are not told."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain[:1]}***.{domain.rpartition('.')[2]}"
