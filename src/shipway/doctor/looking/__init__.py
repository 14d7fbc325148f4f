"""The doctor's eyes: gathers facts, changes nothing, judges nothing."""
