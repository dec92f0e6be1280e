"""A copy of a shard comes to be from the primary's: by operations where those suffice, otherwise by files first; and a primary moves."""
