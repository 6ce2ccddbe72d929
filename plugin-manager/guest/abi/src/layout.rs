//! The imports and exports of a module as data: a host links, and a verifier checks, from these tables.

use crate::names::{export, import};
use crate::wire::{Args, Malformed, U64_ITEM, read_u64};

/// A value type of core WebAssembly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValType {
    /// 32-bit integer: the only type ABI 1 uses.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
}

const I: ValType = ValType::I32;

/// One function a module may import from [`crate::names::MODULE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Import {
    /// Its field name.
    pub name: &'static str,
    /// Types of its parameters, in order.
    pub params: &'static [ValType],
    /// Types of its results.
    pub results: &'static [ValType],
}

impl Import {
    /// The import with this field name, if ABI 1 has one.
    pub fn named(name: &str) -> Option<&'static Self> {
        IMPORTS.iter().find(|i| i.name == name)
    }
}

const fn function(name: &'static str, params: &'static [ValType], results: &'static [ValType]) -> Import {
    Import { name, params, results }
}

/// Every function ABI 1 offers, in the order of the contract.
pub const IMPORTS: &[Import] = &[
    function(import::LOG, &[I, I], &[]),
    function(import::LOG_AT, &[I, I, I], &[]),
    function(import::INPUT_READ, &[I, I, I], &[I]),
    function(import::OUTPUT, &[I, I], &[I]),
    function(import::FAIL, &[I, I], &[]),
    function(import::SYSCALL, &[I, I, I, I, I, I], &[I]),
    function(import::RESPONSE_READ, &[I, I, I], &[I]),
    function(import::ENV_GET, &[I, I, I, I], &[I]),
    function(import::ABORT, &[I, I, I, I], &[]),
];

/// One function a module exports under a name the ABI knows. Operations are [`OPERATION`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Export {
    /// Its name, unless the manifest maps it to another.
    pub name: &'static str,
    /// Types of its parameters, in order.
    pub params: &'static [ValType],
    /// Types of its results.
    pub results: &'static [ValType],
    /// Whether a module without it is refused.
    pub required: bool,
}

const fn exported(
    name: &'static str,
    params: &'static [ValType],
    results: &'static [ValType],
    required: bool,
) -> Export {
    Export { name, params, results, required }
}

/// Every function export with a meaning of its own. `_initialize` has no result; the others return a status.
pub const EXPORTS: &[Export] = &[
    exported(export::INITIALIZE, &[], &[], false),
    exported(export::INIT, &[], &[I], true),
    exported(export::START, &[], &[I], true),
    exported(export::STOP, &[], &[I], true),
    exported(export::PAUSE, &[], &[I], false),
    exported(export::RESUME, &[], &[I], false),
    exported(export::UNLOAD, &[], &[I], false),
    exported(export::STATE_SAVE, &[], &[I], false),
    exported(export::STATE_LOAD, &[I], &[I], false),
];

/// Parameters and results of every declared operation: `(input_len) -> status`.
pub const OPERATION: (&[ValType], &[ValType]) = (&[I], &[I]);

/// What `file_stat` says a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum FileKind {
    /// 0: a file.
    File = 0,
    /// 1: a directory.
    Directory = 1,
}

/// The response of `file_stat`: a list of three u64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStat {
    /// Bytes in the file.
    pub size: u64,
    /// Time of the last change, nanoseconds since 1970.
    pub mtime: u64,
    /// File or directory.
    pub kind: FileKind,
}

impl FileStat {
    /// Bytes of an encoded response.
    pub const ENCODED: usize = 3 * U64_ITEM;

    /// The response as it crosses the boundary.
    pub fn encode(self) -> [u8; Self::ENCODED] {
        let mut bytes = [0; Self::ENCODED];
        let values = [self.size, self.mtime, self.kind as u64];
        for (item, value) in bytes.chunks_exact_mut(U64_ITEM).zip(values) {
            let encoded = 8u32.to_le_bytes().into_iter().chain(value.to_le_bytes());
            item.iter_mut().zip(encoded).for_each(|(byte, value)| *byte = value);
        }
        bytes
    }

    /// Reads a response.
    ///
    /// # Errors
    /// When it is not a list of exactly three u64, or the kind is unknown.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [size, mtime, kind] = Args::parse(bytes)?.exactly()?;
        let kind = match read_u64(kind)? {
            0 => FileKind::File,
            1 => FileKind::Directory,
            _ => return Err(Malformed::Value),
        };
        Ok(Self { size: read_u64(size)?, mtime: read_u64(mtime)?, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_import_table_is_the_contract() {
        let contract = [
            ("log", 2, 0),
            ("log_at", 3, 0),
            ("input_read", 3, 1),
            ("output", 2, 1),
            ("fail", 2, 0),
            ("syscall", 6, 1),
            ("response_read", 3, 1),
            ("env_get", 4, 1),
            ("abort", 4, 0),
        ];
        assert_eq!(IMPORTS.len(), contract.len());
        for (name, params, results) in contract {
            let import = Import::named(name).unwrap();
            assert_eq!((import.params.len(), import.results.len()), (params, results), "{name}");
            assert!(import.params.iter().chain(import.results).all(|t| *t == ValType::I32));
        }
        assert_eq!(Import::named("exit"), None);
    }

    #[test]
    fn required_and_optional_lifecycle_functions_are_in_the_export_table() {
        for (names, required) in [(&export::REQUIRED, true), (&export::OPTIONAL, false)] {
            for name in names {
                let row = EXPORTS.iter().find(|e| e.name == *name).unwrap();
                assert_eq!((row.params, row.results, row.required), (&[][..], &[I][..], required));
            }
        }
    }

    #[test]
    fn a_stat_with_an_unknown_kind_is_refused() {
        let mut bytes = FileStat { size: 1, mtime: 2, kind: FileKind::Directory }.encode();
        assert_eq!(FileStat::decode(&bytes).unwrap().kind, FileKind::Directory);
        bytes[28] = 2;
        assert_eq!(FileStat::decode(&bytes), Err(Malformed::Value));
        assert!(FileStat::decode(&bytes[..24]).is_err());
    }

    proptest! {
        #[test]
        fn a_stat_survives_the_boundary(size: u64, mtime: u64, directory: bool) {
            let kind = if directory { FileKind::Directory } else { FileKind::File };
            let stat = FileStat { size, mtime, kind };
            prop_assert_eq!(FileStat::decode(&stat.encode()), Ok(stat));
        }
    }
}
