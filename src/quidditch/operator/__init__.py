"""What only Kubernetes needs: CRDs, workload reconcilers, webhooks."""
