import pytest

from quidditch.model.errors import ApiError
from quidditch.rest import params


def _reason(error: pytest.ExceptionInfo[ApiError]) -> str | None:
    assert error.value.status == 400
    assert error.value.type == "illegal_argument_exception"
    return error.value.reason


def test_query_strings() -> None:
    assert params.parse_query("a=1&b=x%20y+z&pretty&c=%C3%A9&a=2&&e=a%3Db=c") == {
        "a": "2", "b": "x y z", "pretty": "", "c": "é", "e": "a=b=c",
    }  # fmt: skip


def test_a_plus_in_a_path_stays_a_plus() -> None:
    assert params.decode("a+b%2Bc%2Fd") == "a+b+c/d"


@pytest.mark.parametrize("text", ["%", "%f", "%zz", "a%2", "%FF", "%C3%28"])
def test_bad_escapes_are_refused(text: str) -> None:
    with pytest.raises(ApiError) as error:
        params.decode(text)
    assert text in (_reason(error) or "")


def test_unknown_parameters_come_with_suggestions() -> None:
    known = frozenset({"size", "from", "scroll", "pretty"})
    params.check_known("/_search", {"size": "1"}, known)
    with pytest.raises(ApiError) as error:
        params.check_known("/_search", {"siz": "1"}, known)
    assert _reason(error) == "request [/_search] contains unrecognized parameter: [siz] -> did you mean [size]?"
    with pytest.raises(ApiError) as error:
        params.check_known("/x", ["zzz", "a"], known)
    assert _reason(error) == "request [/x] contains unrecognized parameters: [a], [zzz]"


def test_several_suggestions_are_ordered_by_likeness() -> None:
    with pytest.raises(ApiError) as error:
        params.check_known("/x", ["sizes"], frozenset({"size", "sides", "other"}))
    assert _reason(error) == (
        "request [/x] contains unrecognized parameter: [sizes] -> did you mean any of [sides, size]?"
    )


@pytest.mark.parametrize(("text", "value"), [("true", True), ("", True), ("false", False)])
def test_booleans(text: str, value: bool) -> None:
    assert params.to_bool(text) is value


@pytest.mark.parametrize("text", ["True", "1", "yes", "x"])
def test_other_booleans_are_refused(text: str) -> None:
    with pytest.raises(ApiError) as error:
        params.to_bool(text)
    assert _reason(error) == f"Failed to parse value [{text}] as only [true] or [false] are allowed."


@pytest.mark.parametrize("text", ["x", "1.5", "", "٣", "99999999999", "9" * 500])
def test_integers_are_checked(text: str) -> None:
    with pytest.raises(ApiError) as error:
        params.to_int(text, "size")
    assert _reason(error) == f"Failed to parse int parameter [size] with value [{text}]"
    assert error.value.details["caused_by"]["type"] == "number_format_exception"


def test_integers_up_to_their_width() -> None:
    assert params.to_int("-2147483648", "n") == -(2**31)
    assert params.to_int("99999999999", "n", 64) == 99999999999


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("30s", 30_000),
        ("1m", 60_000),
        ("5ms", 5),
        ("2d", 172_800_000),
        ("-1", -1),
        ("0", 0),
        ("1h", 3_600_000),
        ("7micros", 0),
    ],
)
def test_times(text: str, millis: int) -> None:
    assert params.to_millis(text, "timeout") == millis


@pytest.mark.parametrize("text", ["5", "s", "1 year", "x", "1M1s"])
def test_times_without_a_known_unit_are_refused(text: str) -> None:
    with pytest.raises(ApiError) as error:
        params.to_millis(text, "timeout")
    assert _reason(error) == (
        f"failed to parse setting [timeout] with value [{text}] as a time value: unit is missing or unrecognized"
    )


def test_fractions_of_times_are_refused() -> None:
    with pytest.raises(ApiError) as error:
        params.to_millis("1.5s", "timeout")
    assert _reason(error) == "failed to parse [1.5s], fractional time values are not supported"
