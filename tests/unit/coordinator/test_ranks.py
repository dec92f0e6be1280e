"""Which node is asked first, by what was measured of each."""

from __future__ import annotations

from quidditch.coordinator.ranks import Ranks


def measured(**nodes: tuple[float, float, float]) -> Ranks:
    ranks = Ranks()
    for node, numbers in nodes.items():
        ranks.of(node).note(*numbers)
    return ranks


def test_what_was_never_asked_comes_first_and_equals_stay_as_they_are() -> None:
    assert Ranks().order(["b", "a"]) == ["b", "a"]
    ranks = measured(a=(0, 1, 2), b=(0, 1, 2))
    assert ranks.order(["b", "a"]) == ["b", "a"]
    assert ranks.order(["a", "new", "b"]) == ["new", "a", "b"]


def test_slow_nodes_and_long_queues_come_later() -> None:
    assert measured(slow=(0, 1, 50), quick=(0, 1, 2)).order(["slow", "quick"]) == ["quick", "slow"]
    assert measured(busy=(4, 1, 2), idle=(0, 1, 2)).order(["busy", "idle"]) == ["idle", "busy"]
    # The queue counts by its cube: a node three times as slow that is idle is better than one where two wait.
    assert measured(busy=(2, 10, 20), idle=(0, 30, 40)).order(["busy", "idle"]) == ["idle", "busy"]
    assert measured(busy=(2, 10, 20), lame=(0, 300, 310)).order(["lame", "busy"]) == ["busy", "lame"]


def test_searches_that_wait_for_a_node_count_as_its_queue() -> None:
    ranks = measured(a=(0, 5, 6), b=(0, 5, 6))
    ranks.of("a").waiting = 1
    assert ranks.order(["a", "b"]) == ["b", "a"]


def test_this_node_is_preferred_to_what_is_hardly_better() -> None:
    assert measured(here=(0, 5, 6), there=(0, 5, 5.5)).order(["there", "here"], "here") == ["here", "there"]
    assert measured(here=(0, 5, 60), there=(0, 5, 6)).order(["here", "there"], "here") == ["there", "here"]


def test_measurements_are_smoothed_and_the_first_counts_whole() -> None:
    ranks = measured(a=(10, 10, 10))
    ranks.of("a").note(0, 0, 0)
    assert ranks.of("a").response == 7
    assert measured(a=(2, 4, 9)).section()["a"] == {
        "outgoing_searches": 0,
        "avg_queue_size": 2,
        "avg_service_time_ns": 4_000_000,
        "avg_response_time_ns": 9_000_000,
        "rank": f"{9 - 4 + 27 * 4:.1f}",
    }


def test_a_node_that_is_passed_over_is_tried_again_once_the_other_gets_worse() -> None:
    ranks = measured(good=(0, 1, 2), bad=(0, 1, 1000))
    for _ in range(20):
        assert ranks.order(["good", "bad"])[0] == "good"
    ranks.of("good").note(0, 1, 10)
    assert ranks.order(["good", "bad"])[0] == "bad"


def test_nodes_that_left_are_forgotten() -> None:
    ranks = measured(a=(0, 1, 2), b=(0, 1, 2))
    ranks.keep(["b", "c"])
    assert list(ranks.section()) == ["b"]
