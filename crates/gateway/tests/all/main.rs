//! The gateway from outside: one binary, one module a subject.

#[cfg(test)]
mod harness;

#[cfg(test)]
mod upstream;

#[cfg(test)]
mod faults;

#[cfg(test)]
mod continue_;

#[cfg(test)]
mod relay;

#[cfg(test)]
mod hedge;

#[cfg(test)]
mod door;

#[cfg(test)]
mod doors;

#[cfg(test)]
mod reference;

#[cfg(test)]
mod refused;

#[cfg(test)]
mod overlay;

#[cfg(test)]
mod unlisted;

#[cfg(test)]
mod lifecycle;

#[cfg(test)]
mod told;

#[cfg(test)]
mod soaked;
