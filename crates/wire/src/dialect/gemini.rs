//! The `gemini` dialect.
