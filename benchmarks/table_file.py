"""Tables as CSV files in UTF-8, with the names of the columns in their first line."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = Mapping[str, str]


class TableError(Exception):
    """`table_invalid`: a file that is no CSV in UTF-8; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "table_invalid"


def read_table(path: Path) -> tuple[frozenset[str], Sequence[tuple[int, Row]]]:
    """The columns, and the rows, each with the number of its line. A byte order mark, as of Excel, is no part of it.

    Raises:
        TableError: it is in another encoding, as Excel writes where it is not told, or no CSV. OSError.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            return frozenset(rows.fieldnames or ()), [(rows.line_num, row) for row in rows]
    except UnicodeDecodeError:
        raise TableError(f"{path} is not in UTF-8: in Excel save it as 'CSV UTF-8 (comma delimited)'") from None
    except csv.Error as error:
        raise TableError(f"{path} is no CSV: {error}") from None
