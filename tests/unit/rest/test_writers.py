import orjson
import yaml

from quidditch.rest import writers

VALUE = {"a": 1, "b": {}, "c": [], "d": [1, {"e": 'x\n"y"'}, [True, None]], "1f": 2.5, "true": "é", "g.h_i-j": "- x"}


def test_pretty_prints_as_opensearch() -> None:
    assert writers.pretty({"a": 1, "b": {}, "c": [], "d": [1, {"e": "x"}]}).decode() == (
        '{\n  "a" : 1,\n  "b" : { },\n  "c" : [ ],\n  "d" : [\n    1,\n    {\n      "e" : "x"\n    }\n  ]\n}\n'
    )


def test_pretty_is_the_same_json() -> None:
    assert orjson.loads(writers.pretty(VALUE)) == VALUE


def test_yaml_is_the_same_value() -> None:
    text = writers.yaml(VALUE)
    assert text.startswith(b"---\na: 1\nb: {}\nc: []\n")
    assert yaml.safe_load(text) == VALUE


def test_yaml_of_a_scalar_and_of_nothing() -> None:
    assert writers.yaml([]) == b"--- []\n"
    assert yaml.safe_load(writers.yaml([[1, 2], {"a": {"b": [3]}}])) == [[1, 2], {"a": {"b": [3]}}]
