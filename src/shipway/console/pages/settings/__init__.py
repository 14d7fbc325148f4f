"""What an app runs with: variables of each environment, policy, who is told."""
