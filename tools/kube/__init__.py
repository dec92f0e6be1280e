"""A Kubernetes on one machine: the real control plane on loopback, and a kubelet of ours that runs pods as processes."""
