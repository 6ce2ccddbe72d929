//! The four services: a name that is decided on, a bucket that does it, and the books of who moved how much.

use super::folder::{Folder, OF_A_FILE};
use super::name::{KEY_BYTES, ObjectName};
use super::s3::{Bounds, S3, S3Place};
use crate::extension::files::FileLimits;
use crate::extension::http::{Http, Quotas, Rates};
use crate::extension::secret::SecretSource;
use crate::extension::service::{Door, Service, invalid, limit, number, plugin, required, target, text};
use common::clock::Deadline;
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Status, Target, list, push};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Most names of one answer of `object_list`.
const PAGE: u64 = 1000;

/// Where the objects of a bucket are.
#[derive(Debug, Clone)]
pub enum ObjectPlace {
    /// In a folder of this machine, which need not be there before it is used.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Most bytes of its objects together.
        bytes: u64,
        /// Most objects and folders.
        entries: u64,
    },
    /// At a server that speaks S3.
    S3(S3Place),
}

/// The buckets, and what a plugin may do with them.
#[derive(Debug, Clone)]
pub struct ObjectOptions {
    /// The buckets by the names plugins call them by.
    pub buckets: BTreeMap<String, ObjectPlace>,
    /// Most bytes of an object that is put, and of an answer of `object_get`.
    pub object_limit: usize,
    /// Longest time of one call to a server.
    pub timeout: Duration,
    /// Calls of one plugin under way at once.
    pub at_once: u32,
    /// Calls of one plugin a second, for long; for a moment ten times as many.
    pub requests_per_second: u32,
    /// Bytes of one plugin a second, for long; for a moment ten times as many.
    pub bytes_per_second: u64,
}

impl Default for ObjectOptions {
    fn default() -> Self {
        Self {
            buckets: BTreeMap::new(),
            object_limit: 16_000_000,
            timeout: Duration::from_secs(30),
            at_once: 8,
            requests_per_second: 100,
            bytes_per_second: 16_000_000,
        }
    }
}

/// Why the buckets cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectsError {
    /// A bucket's place does not make sense to the client of stores.
    #[error("a bucket cannot be set up")]
    Store(#[source] object_store::Error),
}

#[derive(Debug)]
enum Bucket {
    Folder(Folder),
    S3(Box<S3>),
}

/// The buckets.
#[derive(Debug)]
pub struct Objects {
    buckets: BTreeMap<String, Bucket>,
    object_limit: usize,
    timeout: Duration,
    quotas: Quotas,
}

impl Objects {
    /// The buckets of these options. Nothing is opened and nobody is asked before a call.
    ///
    /// # Errors
    /// When the place of a bucket cannot be used.
    pub fn new(
        options: &ObjectOptions,
        http: &Arc<Http>,
        secrets: &Arc<dyn SecretSource>,
    ) -> Result<Self, ObjectsError> {
        let bucket = |place: &ObjectPlace| match place {
            ObjectPlace::Folder { path, bytes, entries } => {
                let limits = FileLimits {
                    bytes: *bytes,
                    entries: *entries,
                    read_bytes: options.object_limit as u64,
                    open_areas: 1,
                };
                Ok(Bucket::Folder(Folder::new(path.clone(), limits)))
            }
            ObjectPlace::S3(place) => {
                Ok(Bucket::S3(Box::new(S3::new(place, options.object_limit, http, secrets)?)))
            }
        };
        let buckets = options.buckets.iter().map(|(name, place)| Ok((name.clone(), bucket(place)?)));
        Ok(Self {
            buckets: buckets.collect::<Result<_, ObjectsError>>()?,
            object_limit: options.object_limit,
            timeout: options.timeout,
            quotas: Quotas::new(Rates {
                at_once: options.at_once,
                requests: options.requests_per_second,
                bytes: options.bytes_per_second,
            }),
        })
    }
}

/// The services by action.
pub(in crate::extension) fn services<D: Door>(objects: &Arc<Objects>) -> [(&'static str, D::Handler); 4] {
    let service = |verb| D::put(ObjectCall { objects: objects.clone(), verb });
    [
        ("object_get", service(Verb::Get)),
        ("object_put", service(Verb::Put)),
        ("object_list", service(Verb::List)),
        ("object_delete", service(Verb::Delete)),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Get,
    Put,
    List,
    Delete,
}

/// What a call asks for, read in full before anything is done.
#[derive(Debug, Clone, Copy)]
enum Asked<'a> {
    Get { offset: u64, length: Option<u64> },
    Put { bytes: &'a [u8] },
    List { after: &'a str, most: usize },
    Delete,
}

struct ObjectCall {
    objects: Arc<Objects>,
    verb: Verb,
}

impl ObjectCall {
    fn name<'a>(&self, name: &'a [u8]) -> Result<ObjectName<'a>, CallError> {
        if self.verb == Verb::List { ObjectName::folder(name) } else { ObjectName::object(name) }
    }

    fn asked<'a>(&self, args: &'a [u8]) -> Result<(&'a [u8], Asked<'a>), CallError> {
        match self.verb {
            Verb::Get => {
                let [name, offset, length] = list::<3>(args, 1)?;
                let (offset, length) = (offset.map_or(Ok(0), number)?, length.map(number).transpose()?);
                Ok((required(name)?, Asked::Get { offset, length }))
            }
            Verb::Put => {
                let [name, bytes] = list::<2>(args, 2)?;
                Ok((required(name)?, Asked::Put { bytes: required(bytes)? }))
            }
            Verb::List => {
                let [name, after, most] = list::<3>(args, 1)?;
                let most = most.map_or(Ok(PAGE), number)?.min(PAGE);
                let after = text(after.unwrap_or_default())?;
                Ok((
                    required(name)?,
                    Asked::List { after, most: usize::try_from(most).unwrap_or(usize::MAX) },
                ))
            }
            Verb::Delete => {
                let [name] = list::<1>(args, 1)?;
                Ok((required(name)?, Asked::Delete))
            }
        }
    }
}

impl Service for ObjectCall {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let (name, _) = self.asked(args)?;
        self.name(name)?;
        Ok(target(text(name)?, false))
    }

    fn summary(&self, args: &[u8]) -> Option<String> {
        match self.asked(args).ok()?.1 {
            Asked::Put { bytes } => Some(format!("{} bytes", bytes.len())),
            _ => None,
        }
    }

    fn serve(&self, mut call: Call<'_>) -> Result<(), CallError> {
        let objects = &*self.objects;
        let (_, asked) = self.asked(call.args)?;
        let name = self.name(call.target.as_bytes())?;
        if let Asked::Put { bytes } = asked
            && bytes.len() > objects.object_limit
        {
            return Err(limit("the object is larger than objects.object_limit"));
        }
        let bucket = objects.buckets.get(name.bucket);
        let bucket = bucket.ok_or_else(|| CallError::new(Status::NotFound, "there is no such bucket"))?;
        let entered = objects.quotas.enter(plugin(call.identity)?.id, call.clock)?;
        entered.hop(call.clock)?;
        let sent = call.args.len();
        let done = match bucket {
            Bucket::Folder(folder) => in_folder(folder, name, asked, &mut call),
            Bucket::S3(store) => objects.at_server(store, name, asked, &mut call),
        };
        entered.spend(sent.saturating_add(call.response.len()) as u64);
        done
    }
}

/// The same call for a function that takes one.
fn lent<'c>(call: &'c mut Call<'_>) -> Call<'c> {
    Call {
        identity: call.identity,
        link: call.link,
        chain: call.chain,
        deadline: call.deadline,
        cancel: call.cancel,
        clock: call.clock,
        target: call.target,
        args: call.args,
        response: call.response,
        spans: call.spans,
        further: None,
    }
}

fn in_folder(
    folder: &Folder,
    name: ObjectName<'_>,
    asked: Asked<'_>,
    call: &mut Call<'_>,
) -> Result<(), CallError> {
    let segments = name.segments();
    match asked {
        Asked::Get { .. } => folder.get(&segments, lent(call)),
        Asked::Put { .. } => folder.put(&segments, lent(call)),
        Asked::Delete => folder.delete(&segments, Call { args: &OF_A_FILE, ..lent(call) }),
        Asked::List { after, most } => {
            let after = within(name, after)?;
            let response = &mut *call.response;
            folder.list(&segments, (after, most), &mut |key| answer(response, name.bucket, key))
        }
    }
}

impl Objects {
    fn at_server(
        &self,
        store: &S3,
        name: ObjectName<'_>,
        asked: Asked<'_>,
        call: &mut Call<'_>,
    ) -> Result<(), CallError> {
        let until = call.deadline.min(Deadline::after(call.clock, self.timeout));
        let bounds = Bounds { until, clock: call.clock, cancel: call.cancel };
        match asked {
            Asked::Get { offset, length } => {
                let bytes = store.get(name, (offset, length), bounds)?;
                if bytes.len() > self.object_limit {
                    return Err(limit("more bytes than objects.object_limit"));
                }
                *call.response = bytes;
            }
            Asked::Put { bytes } => store.put(name, bytes, bounds)?,
            Asked::Delete => store.delete(name, bounds)?,
            Asked::List { after, most: 0 } => drop(within(name, after)?),
            Asked::List { after, most } => {
                let keys = store.list(name, (within(name, after)?, most), bounds)?;
                keys.iter().for_each(|key| answer(call.response, name.bucket, key));
            }
        }
        Ok(())
    }
}

/// The key in `after`, which is a name of the bucket that is listed, as answers have it; empty for the beginning.
fn within<'a>(name: ObjectName<'_>, after: &'a str) -> Result<&'a str, CallError> {
    if after.is_empty() {
        return Ok(after);
    }
    let key = after.strip_prefix(name.bucket).and_then(|rest| rest.strip_prefix('/'));
    key.filter(|key| key.len() <= KEY_BYTES)
        .ok_or_else(|| invalid("what a list goes on after is a name of its bucket"))
}

fn answer(response: &mut Vec<u8>, bucket: &str, key: &str) {
    push(response, format!("{bucket}/{key}").as_bytes());
}
