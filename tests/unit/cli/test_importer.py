import io

import pytest

from quidditch.cli.importer import ImportProblem, _csv, _value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), ("-5", -5), ("1.5", 1.5), ("1e3", 1000.0), ("007", "007"), ("0", 0), ("0.5", 0.5), ("true", True),
        ("false", False), ("nan", "nan"), ("inf", "inf"), ("1_000", "1_000"), ("word", "word"), ("", ""),
        ("99999999999999999999", "99999999999999999999"), ("+1", "+1"),
    ],
)  # fmt: skip
def test_cells_of_csv(text: str, value: object) -> None:
    found = _value(text)
    assert found == value
    assert type(found) is type(value)


def test_rows_longer_than_the_header_lose_nothing_unseen() -> None:
    rows = _csv(io.BytesIO(b'id,name\n1,"two\nlines"\n2,b,c\n'), "f.csv")
    assert next(rows) == {"id": 1, "name": "two\nlines"}
    with pytest.raises(ImportProblem, match=r"f\.csv, line 4 has more cells than the header's 2"):
        next(rows)


def test_rows_may_be_shorter() -> None:
    assert list(_csv(io.BytesIO(b"id,name\n1\n"), "f.csv")) == [{"id": 1}]
