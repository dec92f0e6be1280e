"""How a stream of bytes becomes frames again, whatever pieces it comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quidditch.transport import frames

SIZES = st.one_of(st.integers(0, 40), st.sampled_from([65_522, 65_523, 65_524, 200_000, 524_288]))


class Received:
    """What a splitter makes of the pieces that are put into its room."""

    def __init__(self, scratch: memoryview | None = None) -> None:
        self.splitter = frames.Splitter(frames.scratch() if scratch is None else scratch)
        self.frames: list[tuple[int, int, bytes]] = []
        self.widest = 0

    def put(self, data: bytes) -> None:
        while data:
            room = self.splitter.room()
            assert len(room)
            self.widest = max(self.widest, len(room))
            count = min(len(room), len(data))
            room[:count] = data[:count]
            data = data[count:]
            self.frames += [(kind, call, bytes(body)) for kind, call, body in self.splitter.received(count)]


def stream(bodies: list[bytes]) -> bytes:
    return b"".join(frames.head(frames.ANSWER, call, len(body)) + body for call, body in enumerate(bodies))


def of_size(size: int) -> bytes:
    return bytes(number % 251 for number in range(size))


@given(sizes=st.lists(SIZES, max_size=6), cuts=st.lists(st.integers(1, 300_000), max_size=8), rests=st.booleans())
def test_frames_come_out_as_they_went_in(sizes: list[int], cuts: list[int], rests: bool) -> None:
    bodies = [of_size(size) for size in sizes]
    data, received = stream(bodies), Received()
    for cut in [*cuts, len(data)]:
        received.put(data[:cut])
        data = data[cut:]
        if rests:
            received.splitter.rest()
    received.put(data)
    assert received.frames == [(frames.ANSWER, call, body) for call, body in enumerate(bodies)]


@given(pieces=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 90_000)), min_size=1, max_size=20))
def test_connections_that_share_what_they_receive_in_do_not_mix(pieces: list[tuple[int, int]]) -> None:
    scratch = frames.scratch()
    bodies = [[bytes([number]) * 70_000, bytes([number]) * 5, bytes([number]) * 200_000] for number in range(3)]
    left = [stream(each) for each in bodies]
    received = [Received(scratch) for _ in bodies]
    for number, size in [*pieces, (0, 1 << 20), (1, 1 << 20), (2, 1 << 20)]:
        received[number].put(left[number][:size])
        left[number] = left[number][size:]
    for each, wanted in zip(received, bodies, strict=True):
        assert [body for _, _, body in each.frames] == wanted


def test_a_frame_that_is_only_announced_takes_no_memory() -> None:
    received = Received()
    received.put(frames.head(frames.ANSWER, 1, frames.MAX_BYTES - 9) + bytes(100_000))
    assert received.widest < 1 << 20
    assert received.frames == []


def test_a_buffer_that_is_not_needed_any_more_is_given_back() -> None:
    received = Received()
    received.put(stream([of_size(524_288)]))
    held = [received.splitter.holds]
    for _ in range(2):
        received.splitter.rest()
        held.append(received.splitter.holds)
    assert held == [524_301, 524_301, 0]
    received.put(stream([of_size(524_288)])[:-1])
    for _ in range(2):
        received.splitter.rest()
    assert received.splitter.holds == 524_301


@pytest.mark.parametrize("length", [0, 8, frames.MAX_BYTES + 1])
def test_lengths_that_no_frame_has_are_refused(length: int) -> None:
    with pytest.raises(frames.Malformed, match=f"a frame of {length} bytes"):
        Received().put(length.to_bytes(4, "little") + bytes(9))
