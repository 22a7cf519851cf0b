"""The abuse desk: who held an address, what the flows show, cases, evidence and answers."""
