"""What tests share: a real node as a child process."""
