//! Plugins linked into the host program: each leaves an entry before `main`, and nothing else happens until one is
//! needed.

use super::NativeCode;

/// The entry of a plugin that is linked into this program; see [`submit_plugin!`](crate::submit_plugin).
#[derive(Debug)]
pub struct LinkedPlugin(fn() -> NativeCode);

impl LinkedPlugin {
    /// The entry with this function, usually a closure around [`NativeCode::lazy`].
    pub const fn new(code: fn() -> NativeCode) -> Self {
        Self(code)
    }
}

inventory::collect!(LinkedPlugin);

/// The plugins linked into this program, in no order. Each call gives new code values: the plugin of one manager
/// has nothing in common with that of another.
pub fn linked() -> impl Iterator<Item = NativeCode> {
    inventory::iter::<LinkedPlugin>.into_iter().map(|entry| (entry.0)())
}

/// Registers a plugin with every manager of the programs this crate is linked into, before `main`.
///
/// `submit_plugin!(TYPE)` makes the plugin by `Default`; `submit_plugin!(TYPE, FUNCTION)` by a function without
/// arguments. It is made when the plugin is started or called first.
///
/// ```standalone_crate
/// use plugin_manager::{ForgePlugin, NativeError, NativeHost, submit_plugin};
///
/// #[derive(Clone, Default)]
/// struct Hello;
///
/// impl ForgePlugin for Hello {
///     const MANIFEST: &'static str =
///         "[plugin]\nname = \"hello\"\nversion = \"1.0.0\"\n[[operations]]\nname = \"hello\"";
///     fn call(&mut self, _: &str, host: &mut NativeHost<'_>) -> Result<(), NativeError> {
///         Ok(host.output("hello")?)
///     }
/// }
///
/// submit_plugin!(Hello);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! submit_plugin {
    ($plugin:ty $(,)?) => {
        $crate::runtime::native::inventory::submit! {
            $crate::runtime::native::LinkedPlugin::new(
                || $crate::runtime::native::NativeCode::lazy::<$plugin>(::core::default::Default::default),
            )
        }
    };
    ($plugin:ty, $make:expr $(,)?) => {
        $crate::runtime::native::inventory::submit! {
            $crate::runtime::native::LinkedPlugin::new(
                || $crate::runtime::native::NativeCode::lazy::<$plugin>($make),
            )
        }
    };
}
