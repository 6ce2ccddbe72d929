//! `object_*`: objects of buckets the operator named, in a folder of this machine or in a store that speaks S3.
//!
//! A plugin names `bucket/key` and learns nothing of where that is. A folder is walked beneath its handle, one segment
//! at a time, and no link is followed. A store is reached by the client of this host: its addresses are checked as those
//! of `http_request` are, its redirects are not followed, and its keys are secrets of this host.

mod carrier;
mod folder;
mod name;
mod s3;
mod service;
#[cfg(test)]
mod tests;

pub use s3::{S3Keys, S3Place};
pub use service::{ObjectOptions, ObjectPlace, Objects, ObjectsError};

pub(super) use service::services;
