"""A mapping of many versions: equal to a dict that was changed the same way, its differences those of the values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quidditch.model.layered import Layered

_CHANGES = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, 300).map(str), st.integers(), max_size=40),
        st.sets(st.integers(0, 300).map(str), max_size=10),
    ),
    min_size=1,
    max_size=20,
)


@given(st.integers(0, 300), _CHANGES, st.data())
def test_a_version_is_the_dict_and_differs_in_what_was_changed(size: int, changes: object, data: st.DataObject) -> None:
    """Versions far enough from each other have bases of their own; several may be made of one."""
    plain: dict[str, object] = {str(number): object() for number in range(size)}
    versions = [Layered(dict(plain))]
    dicts = [plain]
    for written, gone in changes:  # type: ignore[attr-defined]
        fresh = {key: object() for key in written if key not in gone}
        before = data.draw(st.integers(max(0, len(versions) - 3), len(versions) - 1))
        versions.append(versions[before].changed(fresh, gone))
        dicts.append({key: value for key, value in {**dicts[before], **fresh}.items() if key not in gone})
    for version, known in zip(versions, dicts, strict=True):
        assert version == known
        assert len(version) == len(known)
    one = data.draw(st.integers(0, len(versions) - 1))
    other = data.draw(st.integers(0, len(versions) - 1))
    differing = {
        key
        for key in {*dicts[one], *dicts[other]}
        if (dicts[one].get(key), key in dicts[one]) != (dicts[other].get(key), key in dicts[other])
    }
    assert set(versions[one].differs(versions[other])) == differing


def test_a_new_base_does_not_cost_a_look_at_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys looked at, counted: each version differs from the one before in one of ten thousand."""
    looked: list[str] = []
    get = Layered.get

    def counted(self: Layered[int], key: str, default: object = None) -> object:
        looked.append(key)
        return get(self, key, default)

    monkeypatch.setattr(Layered, "get", counted)
    version: Layered[int] = Layered({str(number): number for number in range(10_000)})
    most = 0
    for number in range(1000):
        following = version.changed({str(number): -number - 1})
        looked.clear()
        assert list(version.differs(following)) == [str(number)]
        most = max(most, len(looked))
        version = following
    assert most == 2


def test_versions_of_long_ago_are_compared_as_a_whole() -> None:
    """What led from one to the other is not remembered for ever."""
    versions: list[Layered[int]] = [Layered({str(number): number for number in range(100)})]
    for number in range(2000):
        versions.append(versions[-1].changed({str(number % 50): -number - 1}))
    assert {*versions[0].differs(versions[-1])} == {str(number) for number in range(50)}
    assert {*versions[-1].differs(versions[-3])} == {"48", "49"}
    steps, step = 0, versions[-1]._step
    while step.before is not None:
        steps, step = steps + 1, step.before
    assert steps < 600
