//! The claims of this room, one module a subject, in the order of its layout.

#[cfg(test)]
mod breaker;
#[cfg(test)]
mod cooldown;

#[cfg(test)]
mod latency;

#[cfg(test)]
mod budget;

#[cfg(test)]
mod strategy;

#[cfg(test)]
mod plan;

#[cfg(test)]
mod attempt;

#[cfg(test)]
mod simulation;
