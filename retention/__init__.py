"""How long flows are kept: the policy, the plan of what is due, the guard, and the purge."""
