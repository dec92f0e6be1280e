"""Pure decisions of the control plane: (state, command, now, ids) -> changes of objects, a result, instructions."""
