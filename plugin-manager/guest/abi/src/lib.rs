//! Numbers, names and byte layouts of ForgeOne ABI 1. No code here touches memory it was not lent.
//!
//! Host and guest both build from this crate, so a name or a number has one home. Everything is `no_std`
//! and allocates nothing: writers fill a buffer of the caller, readers borrow from one.
//!
//! ```
//! use forgeone_abi::wire::{Args, ArgsWriter};
//! let mut buffer = [0u8; 32];
//! let mut writer = ArgsWriter::new(&mut buffer);
//! writer.put(b"greeting")?;
//! writer.put(b"hello")?;
//! let args = Args::parse(writer.finish())?;
//! assert_eq!(args.exactly::<2>()?, [b"greeting".as_slice(), b"hello".as_slice()]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]

#[cfg(any(test, doctest))]
extern crate std;

pub mod layout;
pub mod limits;
pub mod names;
pub mod status;
pub mod wire;

pub use layout::{EXPORTS, Export, IMPORTS, Import, ValType};
pub use status::{LogLevel, Status};
pub use wire::{Args, ArgsWriter, Full, Malformed};

/// The version of the ABI this crate describes: the manifest's `abi`.
pub const ABI_VERSION: u32 = 1;
