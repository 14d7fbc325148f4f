"""Updates over the air: channels, rollouts, and how devices take them."""
