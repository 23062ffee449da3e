//! The Connect REST API on axum.
