"""What is released, what is deployed where, which gates were met, and what a rollback goes to."""
