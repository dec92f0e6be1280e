"""A shard's data is served only as the copy that it is."""

import json
from pathlib import Path

import pytest

from quidditch.controlplane.core.commands import HeldShard
from quidditch.datanode.allocations import Allocations
from quidditch.datanode.folder import DataFolder
from quidditch.model.objects import Copy


def _copy(id: str, recovery: str = "EXISTING_STORE", *, forced: bool = False) -> Copy:
    return Copy(primary=True, state="INITIALIZING", node="n", allocation_id=id, recovery=recovery, forced=forced)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """A data folder with the data of one shard, that of allocation `a`."""
    found = DataFolder(tmp_path)
    found.shard("u", 0).mkdir(parents=True)
    (found.shard("u", 0) / "data").write_text("x")
    found.allocations.keep("u", 0, "a")
    return found


def _again(folder: DataFolder) -> Allocations:
    return Allocations(folder.indices)


def test_ids_last(folder: DataFolder) -> None:
    assert _again(folder).of("u", 0) == ("a",)
    folder.allocations.keep("u", 0, "b", "a")
    assert _again(folder).of("u", 0) == ("b", "a")
    folder.allocations.void("u", 0)
    assert _again(folder).of("u", 0) == ()
    assert _again(folder).of("u", 1) is None
    assert (_again(folder).shards("u"), _again(folder).shards("v")) == ([0], [])


def test_data_is_opened_only_as_the_copy_that_it_is(folder: DataFolder) -> None:
    folder.prepare("u", 0, _copy("a"))
    folder.prepare("u", 0, _copy("other", forced=True))
    with pytest.raises(ValueError, match=r"is that of allocation \[a\], not that of \[other\]: it is not served"):
        folder.prepare("u", 0, _copy("other"))
    folder.allocations.keep("u", 0, "b", "a")
    folder.prepare("u", 0, _copy("a"))
    folder.allocations.void("u", 0)
    with pytest.raises(ValueError, match=r"is no complete copy, not that of \[a\]"):
        folder.prepare("u", 0, _copy("a"))
    with pytest.raises(ValueError, match="the data of the shard is not there"):
        folder.prepare("u", 1, _copy("a"))


def test_data_from_before_there_were_ids_is_opened(folder: DataFolder) -> None:
    folder.shard("old", 2).mkdir(parents=True)
    folder.prepare("old", 2, _copy("a"))
    assert folder.allocations.held() == (HeldShard("old", 2, None), HeldShard("u", 0, ("a",)))


def test_a_copy_that_begins_empty_finds_nothing(folder: DataFolder) -> None:
    folder.prepare("u", 0, _copy("a", "EMPTY_STORE"))
    assert folder.shard("u", 0).exists()
    folder.prepare("u", 0, _copy("new", "EMPTY_STORE"))
    assert not folder.shard("u", 0).exists()
    assert _again(folder).of("u", 0) is None


def test_a_removed_index_leaves_no_ids(folder: DataFolder) -> None:
    folder.remove("u")
    assert (folder.allocations.of("u", 0), _again(folder).of("u", 0), folder.allocations.held()) == (None, None, ())


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', json.dumps({"format": 99, "ids": ["a"]})])
def test_a_file_that_cannot_be_read_vouches_for_nothing(folder: DataFolder, content: str) -> None:
    (folder.indices / "u" / "0.allocation.json").write_text(content)
    assert _again(folder).of("u", 0) == ()


def test_a_removed_shard_leaves_nothing_of_interrupted_recoveries(folder: DataFolder) -> None:
    for suffix in (".recovering", ".replaced"):
        beside = folder.shard("u", 0).with_name(f"0{suffix}")
        beside.mkdir()
        (beside / "file").write_text("x")
    folder.remove_shard("u", 0)
    assert sorted(entry.name for entry in folder.shard("u", 0).parent.iterdir()) == []
