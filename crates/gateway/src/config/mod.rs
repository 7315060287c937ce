//! What the user typed, and what the program needs of it.

mod problem;
mod types;
pub mod url;

pub use problem::Problem;
pub use types::*;
pub use url::BaseUrl;
