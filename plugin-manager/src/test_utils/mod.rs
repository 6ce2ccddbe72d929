//! For tests of embedding programs, behind the feature `test-utils`: a plugin that is a state alone, and a package
//! that runs.

mod echo;
mod mock;

pub use echo::echo_package;
pub use mock::{MockPlugin, create_mock_plugin};
