"""The models on this machine: catalogue, store, import."""
