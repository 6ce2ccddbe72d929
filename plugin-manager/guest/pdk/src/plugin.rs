//! From methods of a type to the exported functions of ABI 1.

use crate::error::Error;

/// The life of a plugin. Each step may refuse with an [`Error`], which the host shows.
///
/// The value is made by `Default` when the host calls `init`, and dropped after `unload`.
pub trait Plugin: Default + 'static {
    /// Prepares: reads the configuration, checks what can be checked.
    ///
    /// # Errors
    /// What keeps the plugin from running.
    fn init(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Begins work.
    ///
    /// # Errors
    /// What keeps the plugin from running.
    fn start(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Ends work. The instance is dropped afterwards either way.
    ///
    /// # Errors
    /// What was left undone.
    fn stop(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Suspends work; no operation is called until [`Plugin::resume`].
    ///
    /// # Errors
    /// What was left undone.
    fn pause(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// Takes work up again.
    ///
    /// # Errors
    /// What keeps the plugin from running.
    fn resume(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// The last call before removal.
    ///
    /// # Errors
    /// What was left undone.
    fn unload(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// A plugin whose state is carried over a swap, a restart or a command.
pub trait Stateful: Plugin {
    /// The state as bytes only [`Stateful::load`] of this plugin has to understand.
    ///
    /// # Errors
    /// When it cannot be saved.
    fn save(&mut self) -> Result<Vec<u8>, Error>;

    /// Takes a state saved by this or an older version; see [`crate::env::state_version`].
    ///
    /// # Errors
    /// When it does not understand the state.
    fn load(&mut self, state: &[u8]) -> Result<(), Error>;
}

/// Writes the exported functions of ABI 1 for a [`Plugin`], in a module `exports`.
///
/// `operations` names methods `fn(&mut self, input: I) -> Result<O, E>`; each is exported under its own name. `I`
/// is an [`Input`](crate::Input): bytes, text or, with the feature `json`, [`Json`](crate::Json); a method may take
/// none, and then ignores what it is called with. `O` is an [`Output`](crate::Output): bytes, text, JSON or `()`.
/// `E` is an [`Error`](crate::Error) or what becomes one, such as a [`HostError`](crate::HostError). A method may
/// take `&self`. A last word `state` exports `state_save` and `state_load` of a [`Stateful`] plugin.
///
/// On wasm32 the functions are exported; elsewhere they are plain functions for tests to call.
///
/// For wasm32-wasip1 an operation cannot have the name of a function of the C library, such as `read`.
///
/// A method whose input is not one does not compile:
///
/// ```compile_fail
/// # use forgeone_pdk::{Error, Plugin, export_plugin};
/// # #[derive(Default)]
/// # struct Doubler;
/// # impl Plugin for Doubler {}
/// impl Doubler {
///     fn double(&mut self, number: u32) -> Result<String, Error> {
///         Ok((number * 2).to_string())
///     }
/// }
/// export_plugin!(Doubler, operations: [double]);
/// ```
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty, operations: [$($operation:ident),* $(,)?], state $(,)?) => {
        $crate::export_plugin!(@module $plugin, [$($operation),*], {
            $crate::export_plugin!(@function
                "Saves the state for `state_load`.", "state_save", state_save, (),
                $crate::rt::save(&PLUGIN));
            $crate::export_plugin!(@function
                "Takes a saved state.", "state_load", state_load, (len: i32),
                $crate::rt::load(&PLUGIN, len));
        });
    };
    ($plugin:ty, operations: [$($operation:ident),* $(,)?] $(,)?) => {
        $crate::export_plugin!(@module $plugin, [$($operation),*], {});
    };
    (@module $plugin:ty, [$($operation:ident),*], { $($state:item)* }) => {
        /// The functions of the ABI: what the host calls, and tests may call.
        pub mod exports {
            #[allow(unused_imports, reason = "the plugin type may be named by a path or by a name of the parent")]
            use super::*;

            ::std::thread_local! {
                /// An instance has one thread, and the host lets no call into an instance that is in one.
                static PLUGIN: $crate::rt::Slot<$plugin> = const { $crate::rt::Slot::new(None) };
            }

            $crate::export_plugin!(@function "Makes the plugin and prepares it.", "init", init, (),
                $crate::rt::init(&PLUGIN));
            $crate::export_plugin!(@function "Begins work.", "start", start, (),
                $crate::rt::step(&PLUGIN, $crate::Plugin::start));
            $crate::export_plugin!(@function "Ends work.", "stop", stop, (),
                $crate::rt::step(&PLUGIN, $crate::Plugin::stop));
            $crate::export_plugin!(@function "Suspends work.", "pause", pause, (),
                $crate::rt::step(&PLUGIN, $crate::Plugin::pause));
            $crate::export_plugin!(@function "Takes work up again.", "resume", resume, (),
                $crate::rt::step(&PLUGIN, $crate::Plugin::resume));
            $crate::export_plugin!(@function "The last call: drops the plugin.", "unload", unload, (),
                $crate::rt::unload(&PLUGIN));
            $(
                #[cfg(target_os = "wasi")]
                const _: () = assert!(
                    !$crate::rt::is_taken(stringify!($operation)),
                    concat!(
                        "the operation `", stringify!($operation), "` would take the place of a function of the C",
                        " library, which the standard library calls; give it another name"
                    )
                );
            )*
            $($crate::export_plugin!(@function
                "The operation of this name.", stringify!($operation), $operation, (len: i32),
                $crate::rt::operation(&PLUGIN, len, |plugin, input| {
                    $crate::rt::run(<$plugin>::$operation, plugin, input)
                }));)*
            $($state)*
        }
    };
    (@function $doc:literal, $export:expr, $name:ident, ($($len:ident: i32)?), $body:expr) => {
        #[doc = $doc]
        pub fn $name($($len: i32)?) -> i32 {
            $body
        }

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[unsafe(export_name = $export)]
            extern "C" fn exported($($len: i32)?) -> i32 {
                $name($($len)?)
            }
        };
    };
}

/// What the functions [`export_plugin!`] writes are made of. Not for use by hand.
pub mod rt {
    use std::cell::{Cell, RefCell};
    use std::thread::LocalKey;

    use super::{Plugin, Stateful};
    use crate::call::{output, read_input};
    use crate::convert::{Input, Output};
    use crate::error::Error;
    use crate::host;
    #[cfg(any(test, target_os = "wasi"))]
    pub use crate::libc_names::is_taken;

    /// Where the plugin lives between calls.
    pub type Slot<P> = RefCell<Option<P>>;

    thread_local! {
        /// Reused by every call; taken out while one reads from it.
        static INPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }

    /// `init`: a new plugin replaces any earlier one.
    pub fn init<P: Plugin>(slot: &'static LocalKey<Slot<P>>) -> i32 {
        #[cfg(target_arch = "wasm32")]
        std::panic::set_hook(Box::new(|info| crate::error!("{info}")));
        let mut plugin = P::default();
        status(plugin.init().and_then(|()| {
            slot.with(|cell| match cell.try_borrow_mut() {
                Ok(mut place) => {
                    *place = Some(plugin);
                    Ok(())
                }
                Err(_) => Err(busy()),
            })
        }))
    }

    /// A lifecycle step of the plugin.
    pub fn step<P: Plugin>(
        slot: &'static LocalKey<Slot<P>>,
        step: impl FnOnce(&mut P) -> Result<(), Error>,
    ) -> i32 {
        status(with(slot, step))
    }

    /// `unload`: the plugin is dropped, whatever its step answers.
    pub fn unload<P: Plugin>(slot: &'static LocalKey<Slot<P>>) -> i32 {
        let result = with(slot, P::unload);
        slot.with(|cell| cell.try_borrow_mut().map(|mut place| place.take()).unwrap_or_default());
        status(result)
    }

    /// An operation: its input is read, its result written.
    pub fn operation<P: Plugin>(
        slot: &'static LocalKey<Slot<P>>,
        len: i32,
        operation: impl FnOnce(&mut P, &[u8]) -> Result<(), Error>,
    ) -> i32 {
        let mut input = INPUT.take();
        let result = read_input(len, &mut input)
            .map_err(Error::from)
            .and_then(|()| with(slot, |plugin| operation(plugin, &input)));
        INPUT.set(input);
        status(result)
    }

    /// A method that may be exported as an operation. `Signature` tells the forms it may have apart.
    #[diagnostic::on_unimplemented(
        message = "this method cannot be exported as an operation",
        label = "not an operation",
        note = "an operation is `fn(&mut self, input: I) -> Result<O, E>`: I is &[u8], &str, Vec<u8>, String or (feature `json`) Json<T>, or there is none; O is bytes, text, Json<T> or (); E becomes an Error"
    )]
    pub trait Operation<'c, P, Signature> {
        /// Reads the input, runs the method, writes what it answers.
        ///
        /// # Errors
        /// That the input is not what the method takes; the method's own; the host's when the output is refused.
        fn run(self, plugin: &'c mut P, input: &'c [u8]) -> Result<(), Error>;
    }

    macro_rules! forms {
        ($(fn($($plugin:tt)+) $(with $input:ident)?;)*) => {$(
            impl<'c, P, $($input,)? R, E, F> Operation<'c, P, fn($($plugin)+ $(, $input)?) -> Result<R, E>> for F
            where
                F: FnOnce($($plugin)+ $(, $input)?) -> Result<R, E>,
                $($input: Input<'c>,)?
                R: Output,
                E: Into<Error>,
            {
                fn run(self, plugin: &'c mut P, _input: &'c [u8]) -> Result<(), Error> {
                    finish(self(plugin $(, $input::from_input(_input)?)?))
                }
            }
        )*};
    }

    forms! {
        fn(&'c mut P) with A;
        fn(&'c mut P);
        fn(&'c P) with A;
        fn(&'c P);
    }

    /// Runs a method as an operation.
    ///
    /// # Errors
    /// As [`Operation::run`].
    pub fn run<'c, P, S>(
        method: impl Operation<'c, P, S>,
        plugin: &'c mut P,
        input: &'c [u8],
    ) -> Result<(), Error> {
        method.run(plugin, input)
    }

    /// Writes what a method answered. It may borrow from the plugin.
    fn finish<E: Into<Error>>(result: Result<impl Output, E>) -> Result<(), Error> {
        Ok(output(result.map_err(Into::into)?.into_output()?.as_ref())?)
    }

    /// `state_save`.
    pub fn save<P: Stateful>(slot: &'static LocalKey<Slot<P>>) -> i32 {
        status(with(slot, |plugin| finish(plugin.save())))
    }

    /// `state_load`.
    pub fn load<P: Stateful>(slot: &'static LocalKey<Slot<P>>, len: i32) -> i32 {
        operation(slot, len, P::load)
    }

    fn with<P, T>(
        slot: &'static LocalKey<Slot<P>>,
        run: impl FnOnce(&mut P) -> Result<T, Error>,
    ) -> Result<T, Error> {
        slot.with(|cell| match cell.try_borrow_mut() {
            Ok(mut place) => place.as_mut().ok_or_else(|| Error::from("init was not called")).and_then(run),
            Err(_) => Err(busy()),
        })
    }

    fn busy() -> Error {
        Error::from("the plugin is already in a call")
    }

    fn status(result: Result<(), Error>) -> i32 {
        match result {
            Ok(()) => 0,
            Err(error) => {
                host::fail(error.message());
                error.code()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Failure, Host};
    use crate::{Error, HostError, Json, Plugin, Stateful, config, random};

    #[derive(Default)]
    struct Sample {
        steps: Vec<&'static str>,
        last: Vec<u8>,
    }

    impl Plugin for Sample {
        fn init(&mut self) -> Result<(), Error> {
            match config::get("broken")? {
                Some(reason) => Err(Error::new(9, reason)),
                None => Ok(()),
            }
        }
        fn start(&mut self) -> Result<(), Error> {
            self.steps.push("start");
            Ok(())
        }
        fn pause(&mut self) -> Result<(), Error> {
            self.steps.push("pause");
            Ok(())
        }
    }

    impl Stateful for Sample {
        fn save(&mut self) -> Result<Vec<u8>, Error> {
            Ok(self.last.clone())
        }
        fn load(&mut self, state: &[u8]) -> Result<(), Error> {
            self.last = state.to_vec();
            Ok(())
        }
    }

    impl Sample {
        fn echo(&mut self, input: &[u8]) -> Result<&[u8], Error> {
            self.last = input.to_vec();
            Ok(&self.last)
        }
        fn steps(&self) -> Result<String, Error> {
            Ok(self.steps.join(","))
        }
        fn refused(&mut self) -> Result<[u8; 8], HostError> {
            let mut buffer = [0; 8];
            random::fill(&mut buffer)?;
            Ok(buffer)
        }
        fn nested(&mut self, _input: &[u8]) -> Result<String, Error> {
            Ok(exports::start().to_string())
        }
        fn shout(&self, text: &str) -> Result<String, Error> {
            Ok(text.to_uppercase())
        }
        fn keep(&mut self, text: String) -> Result<(), Error> {
            self.last = text.into_bytes();
            Ok(())
        }
        fn sum(&mut self, Json(numbers): Json<Vec<u64>>) -> Result<Json<u64>, Error> {
            Ok(Json(numbers.iter().sum()))
        }
    }

    crate::export_plugin!(Sample, operations: [echo, steps, refused, nested, shout, keep, sum], state);

    #[test]
    fn operations_see_their_input_and_answer_with_output() {
        let host = Host::install();
        assert_eq!(exports::init(), 0);
        for input in [&b"abc"[..], b"", &[0xFF; 70_000]] {
            assert_eq!(host.call(exports::echo, input).unwrap(), input);
        }
    }

    #[test]
    fn each_form_of_operation_takes_and_answers_its_types() {
        let host = Host::install();
        assert_eq!(exports::init(), 0);
        assert_eq!(host.call(exports::shout, "\u{e9}a".as_bytes()).unwrap(), "\u{c9}A".as_bytes());
        assert_eq!(host.call(exports::keep, b"kept").unwrap(), b"");
        assert_eq!(host.call(|_| exports::state_save(), b"").unwrap(), b"kept");
        assert_eq!(host.call(exports::sum, b" [1, 2, 39] ").unwrap(), b"42");
    }

    #[test]
    fn an_input_that_does_not_parse_never_reaches_the_operation() {
        let host = Host::install();
        assert_eq!(exports::init(), 0);
        let refused = |function: fn(i32) -> i32, input: &[u8]| host.call(function, input).unwrap_err();
        let text = refused(exports::keep, b"ab\xff");
        assert_eq!(
            (text.status, text.text.as_deref()),
            (-3, Some("the input is not UTF-8 text after byte 2"))
        );
        assert_eq!(host.call(|_| exports::state_save(), b"").unwrap(), b"");
        let json = refused(exports::sum, b"[1,\n-2]");
        assert_eq!(json.status, Error::INVALID_INPUT);
        assert_eq!(
            json.text.unwrap(),
            "the input is not the expected JSON: invalid value: integer `-2`, expected u64 at line 2 column 2"
        );
    }

    #[test]
    fn steps_reach_the_plugin_in_order() {
        let host = Host::install();
        assert_eq!([exports::init(), exports::start(), exports::pause(), exports::resume()], [0; 4]);
        assert_eq!(host.call(exports::steps, b"").unwrap(), b"start,pause");
        assert_eq!([exports::stop(), exports::unload()], [0; 2]);
        assert_eq!(exports::start(), Error::GENERAL);
        assert_eq!(host.failure().as_deref(), Some("init was not called"));
    }

    #[test]
    fn a_refusal_becomes_status_and_text_and_discards_output() {
        let host = Host::install();
        host.deny("random");
        assert_eq!(exports::init(), 0);
        let failure = host.call(exports::refused, b"").unwrap_err();
        assert_eq!(failure, Failure { status: -1, text: Some("random: denied".into()) });
        assert!(host.call(exports::echo, b"x").is_ok());
    }

    #[test]
    fn init_that_fails_says_why() {
        let host = Host::install();
        host.set_config("broken", "no rules");
        assert_eq!(exports::init(), 9);
        assert_eq!(host.failure().as_deref(), Some("no rules"));
    }

    #[test]
    fn state_is_carried_over_and_the_plugin_is_not_entered_twice() {
        let host = Host::install();
        assert_eq!(exports::init(), 0);
        host.call(exports::echo, b"kept").unwrap();
        let state = host.call(|_| exports::state_save(), b"").unwrap();
        assert_eq!(exports::init(), 0);
        host.call(exports::state_load, &state).unwrap();
        assert_eq!(host.call(|_| exports::state_save(), b"").unwrap(), b"kept");
        assert_eq!(host.call(exports::nested, b"").unwrap(), Error::GENERAL.to_string().as_bytes());
    }
}
