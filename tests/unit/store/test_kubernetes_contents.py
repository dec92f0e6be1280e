"""Versions of a resource that hold the same object."""

from __future__ import annotations

from typing import Any

from quidditch.store.kubernetes.contents import Contents


def tree(version: int, generation: int = 1, **meta: Any) -> dict[str, Any]:
    own = {"name": "a", "uid": "u", "resourceVersion": str(version), "generation": generation, **meta}
    return {"kind": "QuidditchIndex", "metadata": own}


def test_a_changed_status_is_the_same_object() -> None:
    known = Contents()
    known.note(tree(5))
    assert known.same("5", tree(6))
    assert known.same("5", tree(6, labels={"a": "b"}))


def test_another_spec_owner_or_life_is_not() -> None:
    known = Contents()
    known.note(tree(5, finalizers=["f"]))
    for other in (
        tree(6, 2, finalizers=["f"]),
        tree(6),
        tree(6, finalizers=["f"], deletionTimestamp="2026-01-01T00:00:00Z"),
        tree(6, finalizers=["f"], uid="v"),
    ):
        assert not known.same("5", other)
    assert not known.same("4", tree(6, finalizers=["f"]))  # never seen


def test_it_remembers_a_few_versions_and_forgets_what_is_gone() -> None:
    known = Contents()
    for version in range(1, 21):
        known.note(tree(version))
    assert not known.same("1", tree(21))
    assert known.same("15", tree(21))
    known.forget("QuidditchIndex", "a")
    assert not known.same("20", tree(21))
