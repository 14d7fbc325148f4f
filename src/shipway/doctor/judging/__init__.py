"""What is seen, and what it means. Decides; does no I/O."""
