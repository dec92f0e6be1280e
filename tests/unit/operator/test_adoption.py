"""From a QuidditchIndex to commands."""

from __future__ import annotations

import pytest

from quidditch.controlplane.core.commands import PutMapping, UpdateIndexSettings
from quidditch.model.errors import ApiError
from quidditch.operator.adoption import changes, creation

SPEC = {
    "shards": 10,
    "replicas": 2,
    "settings": {"refresh_interval": "1s", "number_of_shards": 10},
    "mappings": {"properties": {"title": {"type": "text"}}},
    "aliases": {"all": {}},
}


def test_the_seeds_index() -> None:
    command = creation("products", SPEC)
    assert command.settings == {
        "index.number_of_replicas": "2",
        "index.number_of_shards": "10",
        "index.refresh_interval": "1s",
    }
    assert command.mappings == SPEC["mappings"]
    assert command.aliases == {"all": {}}


def test_counts_that_are_given_twice_must_agree() -> None:
    with pytest.raises(ApiError, match=r"spec.shards is \[10\], but spec.settings has \[index.number_of_shards: 5\]"):
        creation("products", {"shards": 10, "settings": {"index": {"number_of_shards": 5}}})


def test_nothing_changed_is_nothing_to_do() -> None:
    assert changes("products", SPEC, SPEC) == []


def test_each_change_becomes_its_command() -> None:
    wanted = {
        **SPEC,
        "replicas": 1,
        "settings": {"number_of_shards": 10, "index.max_result_window": 5},
        "mappings": {"properties": {"title": {"type": "text"}, "price": {"type": "float"}}},
    }
    assert changes("products", SPEC, wanted) == [
        UpdateIndexSettings(
            indices=("products",),
            settings={
                "index.max_result_window": "5",
                "index.number_of_replicas": "1",
                "index.refresh_interval": None,
            },
        ),
        PutMapping(indices=("products",), mapping=wanted["mappings"]),
    ]


def test_a_changed_shard_count_is_asked_for_so_that_it_is_refused() -> None:
    """CEL refuses it first; where the rule is not there, the control plane says the same as over REST."""
    (command,) = changes("products", SPEC, {**SPEC, "shards": 5, "settings": {"refresh_interval": "1s"}})
    assert isinstance(command, UpdateIndexSettings)
    assert command.settings == {"index.number_of_shards": "5"}


def test_a_count_that_is_repeated_among_the_settings_is_no_change_of_it() -> None:
    """What is carried out shows counts in their fields only."""
    carried = {"shards": 10, "replicas": 2, "settings": {"refresh_interval": "1s"}}
    wanted = {**SPEC, "settings": {"refresh_interval": "7s", "number_of_shards": 10}}
    (command, _mapping) = changes("products", carried, wanted)
    assert isinstance(command, UpdateIndexSettings)
    assert command.settings == {"index.refresh_interval": "7s"}


def test_counts_that_contradict_each_other_are_refused_however_often_they_are_applied() -> None:
    for carried in (0, 1):
        with pytest.raises(ApiError, match=r"spec.replicas is \[1\], but spec.settings has"):
            changes("products", {"replicas": carried}, {"replicas": 1, "settings": {"number_of_replicas": 0}})


def test_a_count_among_the_settings_alone_is_one_too() -> None:
    (command,) = changes("products", {"shards": 1, "replicas": 1}, {"settings": {"number_of_replicas": 3}})
    assert isinstance(command, UpdateIndexSettings)
    assert command.settings == {"index.number_of_replicas": "3"}
