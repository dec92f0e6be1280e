"""The store of raft mode: :func:`open` connects to an etcd cluster. It imports gRPC: only who needs it imports it."""

from quidditch.store.etcd.client import Credentials, Tls
from quidditch.store.etcd.store import EtcdStore, open

__all__ = ["Credentials", "EtcdStore", "Tls", "open"]
