//! The sections of the configuration, each read into its typed form with its own checks.
//!
//! Order matters only where one section refers to another: groups name providers, so providers
//! come first. Every function takes the place of its section and notes what is wrong there.

pub(super) mod blanks;
pub(super) mod credentials;
pub(super) mod faces;
pub(super) mod groups;
pub(super) mod models;
pub(super) mod outward;
pub(super) mod overlay;
pub(super) mod providers;
pub(super) mod routing;
pub(super) mod server;
