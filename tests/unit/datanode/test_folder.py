import json
import os
from pathlib import Path

import pytest

from quidditch.datanode.folder import DataFolder, FolderError


def test_the_nodes_id_lasts(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "deep" / "data")
    first.close()
    second = DataFolder(tmp_path / "deep" / "data")
    assert second.node_id == first.node_id
    assert len(first.node_id) == 22
    second.close()


def test_a_folder_in_use_names_the_process(tmp_path: Path) -> None:
    held = DataFolder(tmp_path)
    with pytest.raises(FolderError, match=rf"in use by the process with pid {os.getpid()}"):
        DataFolder(tmp_path)
    held.close()
    DataFolder(tmp_path).close()


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"format": "x", "id": "y"}'])
def test_a_damaged_identity_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "node.json").write_text(content)
    with pytest.raises(FolderError, match=r"node\.json is damaged"):
        DataFolder(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node.json").write_text(json.dumps({"format": 99, "id": "x"}))
    with pytest.raises(FolderError, match="has format 99, this version reads up to 1"):
        DataFolder(tmp_path)


def test_indices_are_removed_even_if_interrupted(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    for uuid in ("one", "two"):
        folder.shard(uuid, 0).mkdir(parents=True)
        (folder.shard(uuid, 0) / "file").write_text("x")
    folder.remove("one")
    folder.remove("never-was")
    assert list(folder.uuids()) == ["two"]
    folder.shard("two", 0).parent.rename(folder.indices / ".deleted-two")
    folder.close()
    again = DataFolder(tmp_path)
    assert list(again.indices.iterdir()) == []
    again.close()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("")
    with pytest.raises(FolderError, match="it is not a folder"):
        DataFolder(file)
