"""The kubelet of several nodes in one process: pods are local processes in namespaces, each pod with an address of its own."""
