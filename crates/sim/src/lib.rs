//! Providers that misbehave on cue, with their own independent bill.
