"""Who may do what: people, their tokens and approvals, and the trail of what they did."""
