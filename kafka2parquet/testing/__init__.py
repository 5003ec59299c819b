"""For tests and trials, ours and yours: memory consumer and storage, manual clock, embedded broker, contract checks."""
