//! sample-plugin
