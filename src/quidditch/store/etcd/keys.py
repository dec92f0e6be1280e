"""Where things stand in etcd: all under one prefix, `<prefix>/objects/<Kind>/<name>` and a few keys beside."""

from __future__ import annotations

from quidditch.store.etcd import wire_pb2 as pb


class Keys:
    """The keys of one cluster. The prefix is without a slash at its end: `/quidditch/<cluster name>`."""

    def __init__(self, prefix: str) -> None:
        prefix = prefix.rstrip("/")
        if not prefix:
            raise ValueError("the prefix of the keys in etcd is empty")
        self.format = f"{prefix}/format".encode()
        """The number of this layout."""
        self.epoch = f"{prefix}/epoch".encode()
        """How many leaders there were, in decimal; what fences compare."""
        self.leader = f"{prefix}/leader".encode()
        """Who leads; bound to an etcd lease."""
        self.writer = f"{prefix}/writer".encode()
        """The epoch of the leader that wrote last, put with every fenced write: etcd's history says who wrote what."""
        self._objects = f"{prefix}/objects/"

    def object(self, kind: str, name: str) -> bytes:
        return f"{self._objects}{kind}/{name}".encode()

    def objects(self, kind: str | None = None) -> tuple[bytes, bytes]:
        """First key and end (exclusive) of all objects (of a kind)."""
        start = (self._objects if kind is None else f"{self._objects}{kind}/").encode()
        return start, start[:-1] + b"0"


def unchanged(key: bytes, mod_revision: int) -> pb.Compare:
    """True while the key was last written at that revision; 0: while it is not there."""
    return pb.Compare(target=pb.Compare.MOD, result=pb.Compare.EQUAL, key=key, mod_revision=mod_revision)


def holds(key: bytes, value: bytes) -> pb.Compare:
    """True while the key is there with that value."""
    return pb.Compare(target=pb.Compare.VALUE, result=pb.Compare.EQUAL, key=key, value=value)


def put(key: bytes, value: bytes, lease: int = 0) -> pb.RequestOp:
    return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, lease=lease))


def remove(key: bytes) -> pb.RequestOp:
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))


def read(key: bytes) -> pb.RequestOp:
    return pb.RequestOp(request_range=pb.RangeRequest(key=key))


def found(op: pb.ResponseOp) -> pb.KeyValue | None:
    """What a :func:`read` answered."""
    kvs = op.response_range.kvs
    return kvs[0] if kvs else None
