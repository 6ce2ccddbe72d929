//! plugin-manager

pub mod attestation;
pub mod loader;
pub mod resolver;
