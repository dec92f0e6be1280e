"""The store of k8s mode: objects are custom resources of one namespace, the lead is a Lease.

:mod:`quidditch.store.kubernetes.store` imports aiohttp: only who needs it imports it.
"""
