from pathlib import Path

import pytest

from quidditch.cli.config import SETTINGS, ConfigError, load


def test_each_layer_is_laid_over_the_one_before(tmp_path: Path) -> None:
    file = tmp_path / "q.yml"
    file.write_text("http:\n  port: 9000\n  host: ::1\ncluster.name: from-file\n")
    config = load(file, {"QUIDDITCH_HTTP_PORT": "9001", "HOME": "x"}, {"cluster.name": "from-flag", "path.data": None})
    assert (config["http.host"], config["http.port"], config["cluster.name"]) == ("::1", "9001", "from-flag")
    assert config.sources["http.host"] == str(file)
    assert config.sources["http.port"] == "environment"
    assert config.sources["cluster.name"] == "flag"
    assert config.sources["path.data"] == "default"


def test_unknown_settings_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown setting \[http\.prot\] \(flag\), did you mean \[http\.port\]\?"):
        load(None, {}, {"http.prot": "1"})
    file = tmp_path / "q.yml"
    file.write_text("nonsense: 1")
    with pytest.raises(ConfigError, match=r"unknown setting \[nonsense\]"):
        load(file, {}, {})


@pytest.mark.parametrize("text", ["a: [", "- a", "'"])
def test_files_that_are_no_configuration(tmp_path: Path, text: str) -> None:
    file = tmp_path / "q.yml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"q\.yml"):
        load(file, {}, {})
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path / "missing.yml", {}, {})


def test_ports() -> None:
    assert load(None, {}, {}).ports() == range(9200, 9301)
    assert load(None, {}, {"http.port": "0"}).ports() == range(0, 1)
    for bad in ("x", "70000", "9300-9200", "-5", ""):
        with pytest.raises(ConfigError, match=r"http\.port"):
            load(None, {}, {"http.port": bad}).ports()


def test_sizes() -> None:
    assert load(None, {}, {"http.max_content_length": "2mb"}).size("http.max_content_length") == 2 << 20
    assert load(None, {}, {}).size("indices.memory.index_buffer_size") > 1 << 20
    with pytest.raises(ConfigError, match="must be a size"):
        load(None, {}, {"http.max_content_length": "many"}).size("http.max_content_length")


def test_every_setting_says_what_it_is_for() -> None:
    assert all(setting.meaning for setting in SETTINGS.values())


def test_faults_of_yaml_name_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "q.yml"
    file.write_text("a: [1\n")
    with pytest.raises(ConfigError, match=r"q\.yml is not valid YAML: .* at line 1, column 4") as failure:
        load(file, {}, {})
    assert "byte string" not in str(failure.value)
