"""The store of k8s mode: objects are custom resources of one namespace, the lead is a Lease."""
