"""From rows to an adapter: phases, batches, the loop, checkpoints, runs."""
