"""Which node holds which copy: `solve(problem, previous) -> plan`, decided by small deciders that each can explain themselves.

`problem` counts the cluster, `goals` says where everything shall be, `steps` goes there as the throttles allow, `solve`
puts both together, `explain` tells why.
"""
