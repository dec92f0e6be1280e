from __future__ import annotations

from quidditch.controlplane.core.liveness import Limits, Sign, gone, hanging

LIMITS = Limits(hangs=1.0, gone=3.0)


def test_that_a_node_hangs_is_told_once_until_it_is_heard_again() -> None:
    sign = Sign("e", heard=10.0)
    signs = [("n", sign)]
    assert hanging(signs, 10.9, LIMITS) == []
    assert hanging(signs, 11.1, LIMITS) == ["n"]
    assert hanging(signs, 11.2, LIMITS) == []
    assert gone(signs, 11.2, LIMITS) == []
    sign.heard = 11.3
    assert hanging(signs, 11.4, LIMITS) == []
    assert hanging(signs, 12.4, LIMITS) == ["n"]


def test_a_node_has_its_time_under_a_new_leader() -> None:
    sign = Sign("e", heard=10.0, until=14.0)
    assert hanging([("n", sign)], 13.0, LIMITS) == []
    assert hanging([("n", sign)], 14.1, LIMITS) == ["n"]
