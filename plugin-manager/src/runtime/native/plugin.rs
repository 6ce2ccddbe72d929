//! The trait of plugins that are Rust code of the host program.

use super::{NativeError, NativeHost};

/// A plugin that is Rust code of the host program.
///
/// The registered value is a pattern: each instance is a clone of it, made when the host needs one, and dropped
/// after it panicked. What all instances are to share belongs behind an `Arc`.
///
/// ```
/// use plugin_manager::{ForgePlugin, NativeError, NativeHost};
///
/// #[derive(Clone, Default)]
/// struct Counter(u64);
///
/// impl ForgePlugin for Counter {
///     const MANIFEST: &'static str = r#"
///         [plugin]
///         name = "counter"
///         version = "1.0.0"
///         [[operations]]
///         name = "count"
///     "#;
///     fn call(&mut self, _operation: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
///         self.0 += 1;
///         Ok(host.output(self.0.to_string())?)
///     }
/// }
/// ```
pub trait ForgePlugin: Clone + Send + Sync + 'static {
    /// The plugin's `plugin.toml`: name, version, operations, permissions, limits, instances. It names no engine and
    /// no entry points, and no publisher but the host program's.
    const MANIFEST: &'static str;
    /// Whether [`ForgePlugin::state_save`] and [`ForgePlugin::state_load`] are called.
    const KEEPS_STATE: bool = false;

    /// Answers an operation of the manifest; no other is asked for.
    ///
    /// # Errors
    /// Why it could not. The caller gets no output then.
    fn call(&mut self, operation: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError>;

    /// Prepares: called once on each instance, before anything else.
    ///
    /// # Errors
    /// What keeps the plugin from running.
    fn init(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
    /// Begins work.
    ///
    /// # Errors
    /// What keeps the plugin from running.
    fn start(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
    /// Ends work.
    ///
    /// # Errors
    /// What was left undone.
    fn stop(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
    /// Suspends work; no operation is called until [`ForgePlugin::resume`].
    ///
    /// # Errors
    /// What was left undone.
    fn pause(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
    /// Takes work up again.
    ///
    /// # Errors
    /// What keeps the plugin from running.
    fn resume(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
    /// The last call before the plugin is removed.
    ///
    /// # Errors
    /// What was left undone.
    fn unload(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
    /// Writes the state with [`NativeHost::output`].
    ///
    /// # Errors
    /// When it cannot be saved.
    fn state_save(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
    /// Takes the state saved last from [`NativeHost::input`].
    ///
    /// # Errors
    /// When it does not understand the state.
    fn state_load(&mut self, _host: &mut NativeHost<'_>) -> Result<(), NativeError> {
        Ok(())
    }
}
