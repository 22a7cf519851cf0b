"""What happens to a real collector under load when its processes die, its disk fills and its clock is moved."""
