"""The definitions that are checked in, and what generates them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quidditch.operator import crds

FOLDER = Path(__file__).parents[3] / "deploy" / "crds"
NAMES = [crds.file_name(each) for each in crds.all_definitions()]


def test_every_definition_is_checked_in_and_no_other() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("definition", crds.all_definitions(), ids=NAMES)
def test_what_is_checked_in_is_what_the_model_says(definition: dict[str, Any]) -> None:
    """Otherwise: python -m quidditch.operator.crds deploy/crds"""
    assert (FOLDER / crds.file_name(definition)).read_text() == crds.rendered(definition)


def fields(name: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for field, inner in schema.get("properties", {}).items():
        yield f"{name}.{field}", inner
        yield from fields(f"{name}.{field}", inner)
    if isinstance(schema.get("items"), dict):
        yield from fields(f"{name}[]", schema["items"])


@pytest.mark.parametrize("definition", crds.all_definitions(), ids=NAMES)
def test_every_field_has_a_text_and_no_number_is_a_float(definition: dict[str, Any]) -> None:
    (version,) = definition["spec"]["versions"]
    for name, schema in fields(definition["spec"]["names"]["kind"], version["schema"]["openAPIV3Schema"]):
        assert schema.get("description", "").endswith("."), name
        assert schema.get("type") != "number", name
