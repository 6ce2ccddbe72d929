//! A directory for a new plugin: one of the examples under another name, with the SDK it needs beside it.

mod error;
mod files;
mod sdk;
mod write;

pub use error::ScaffoldError;
pub use files::Language;
pub use write::{Scaffold, Scaffolded, Sdk};
