//! The way of stored values into the database: appended to one of two journals first, moved on in bulk.
//!
//! `kv.0.journal` and `kv.1.journal` take turns. Batches are appended to one while the rows of the other are
//! moved into the database; a journal whose rows are there is emptied and gets the next generation's number.
//! What is in the journals is in memory too ([`Pending`]), over the rows of the database.

mod frame;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod pending;
mod replay;
mod segment;
mod values;

pub(super) use pending::Change;
pub(super) use values::Values;

#[cfg(test)]
mod tests;
