"""DO: ask a network, train, keep. What loads torch is named here alone, and late."""
