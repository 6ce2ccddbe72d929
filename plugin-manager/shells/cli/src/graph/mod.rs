//! Pictures of who needs whom: the same report gives the same bytes in each format.

mod dot;
mod layout;
mod mermaid;
mod model;
mod svg;
mod svg_style;

pub use dot::dot;
pub use mermaid::mermaid;
pub use model::{Graph, version_of};
pub use svg::{MAX_NODES, svg};
