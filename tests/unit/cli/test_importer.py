import pytest

from quidditch.cli.importer import _value


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
