"""What turns tokens into text: MLX in this process, later a remote server."""
