"""Pure decisions: (state, command, now) -> (changes, instructions)."""
