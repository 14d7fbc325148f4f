"""Apps and their environments: the policy in force, variables and secrets."""
