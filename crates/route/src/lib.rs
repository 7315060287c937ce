//! Where to send it next: plans, strategies, breaker, cooldowns, budgets for retries and hedges.
