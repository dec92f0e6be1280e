from pathlib import Path

from quidditch.cli.demo import documents

SOURCE = '''"""A module.

More of it."""

class Thing:
    """A thing."""

    def method(self, x: int = 1) -> None:
        """Does it."""

    def silent(self) -> None: ...

async def wait(*names: str) -> None:
    """Waits."""
'''


def test_every_documented_thing_is_a_document(tmp_path: Path) -> None:
    file = tmp_path / "sample.py"
    file.write_text(SOURCE)
    found = dict(documents(file))
    assert list(found) == ["sample:1", "sample.Thing:5", "sample.Thing.method:8", "sample.wait:13"]
    method = found["sample.Thing.method:8"]
    assert (method["kind"], method["signature"], method["package"]) == ("function", "method(self, x: int=1)", "sample")
    assert [document["kind"] for document in found.values()] == ["module", "class", "function", "function"]


def test_files_that_are_no_python_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def (:")
    assert list(documents(file)) == []
