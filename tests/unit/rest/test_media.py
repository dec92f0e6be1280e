import pytest

from quidditch.rest import media


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/json", "json"),
        ("application/json; charset=UTF-8", "json"),
        ("Application/JSON;charset=utf-8", "json"),
        ("application/x-ndjson", "ndjson"),
        ("application/yaml", "yaml"),
        ("application/smile", "smile"),
        ("text/plain", "text"),
        ("*/*", "any"),
        ("text/html, application/json;q=0.9", "json"),
    ],
)
def test_known_types(header: str, kind: str) -> None:
    found = media.parse(header)
    assert found is not None
    assert found.kind == kind
    assert found.vendor is None


@pytest.mark.parametrize("version", ["7", "8", "9"])
def test_a_vendor_gets_its_own_type_back(version: str) -> None:
    found = media.parse(f"application/vnd.elasticsearch+json; compatible-with={version}")
    assert found == media.Media("json", f"application/vnd.elasticsearch+json;compatible-with={version}")
    lines = media.parse(f"application/vnd.elasticsearch+x-ndjson;compatible-with={version}")
    assert lines is not None
    assert (lines.kind, lines.vendor) == ("ndjson", f"application/vnd.elasticsearch+json;compatible-with={version}")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "text/html",
        "application/x-www-form-urlencoded",
        "json",
        "application/vnd.elasticsearch+json; compatible-with=42",
        ";",
    ],
)
def test_others_are_unknown(header: str) -> None:
    assert media.parse(header) is None
