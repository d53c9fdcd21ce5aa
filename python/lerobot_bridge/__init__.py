"""LeRobot's policies behind pipes, and training of pi0 and pi0.5 with weights and a condition."""
