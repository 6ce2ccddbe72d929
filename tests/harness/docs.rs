//! The Rust blocks of the README and of the guides are documentation tests of this crate.

#[doc = include_str!("../../README.md")]
struct Readme;

#[doc = include_str!("../../plugin-manager/docs/plugin-author-guide.md")]
struct PluginAuthorGuide;

#[doc = include_str!("../../plugin-manager/docs/embedding-guide.md")]
struct EmbeddingGuide;

#[doc = include_str!("../../plugin-manager/docs/native-plugins.md")]
struct NativePlugins;
