//! A bucket in a store that speaks S3. Requests are signed with secrets of this host, read for each request.

use super::carrier::{BehindTheEnd, Carrier};
use super::name::ObjectName;
use super::service::ObjectsError;
use crate::extension::http::{Fault, Http, HttpAccess, OwnTerms, Range, Scheme, Url};
use crate::extension::secret::SecretSource;
use common::cancel::CancelToken;
use common::clock::{Clock, Deadline};
use microkernel::syscall_bridge::{CallError, Status};
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredential};
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use object_store::{
    BackoffConfig, CredentialProvider, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload,
    RetryConfig,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Most bytes of an answer that is no object: a page of a list, an error.
const PAGE_BYTES: usize = 4 << 20;
/// How often a request is tried again after an answer of 500 to 599 or a broken connection, and for how long.
const RETRIES: usize = 2;
const RETRY_FOR: Duration = Duration::from_secs(10);

/// Where a bucket is, at a server that speaks S3.
#[derive(Debug, Clone)]
pub struct S3Place {
    /// The server; path and query beyond `/` are not heeded.
    pub endpoint: Url,
    /// The region that signatures name.
    pub region: String,
    /// The server's name of the bucket.
    pub bucket: String,
    /// The folder of the bucket that keys are in; empty for the whole.
    pub prefix: String,
    /// Whose requests they are; nobody's when there are no keys.
    pub keys: Option<S3Keys>,
    /// Ranges of addresses where the server may be though they are not public.
    pub private_ranges: Vec<Range>,
}

/// The secrets of this host that sign requests.
#[derive(Debug, Clone)]
pub struct S3Keys {
    /// The name of the secret that holds the access key's name.
    pub access_key: String,
    /// The name of the secret that holds the access key.
    pub secret_key: String,
    /// The name of the secret that holds a session's token, if there is one.
    pub session_token: Option<String>,
}

/// A bucket in a store.
#[derive(Debug)]
pub(super) struct S3 {
    store: AmazonS3,
    http: Arc<Http>,
    prefix: String,
}

/// By when a call must end, and what gives it up.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub until: Deadline,
    pub clock: &'a dyn Clock,
    pub cancel: Option<&'a CancelToken>,
}

impl S3 {
    /// The bucket at this place, whose objects have at most so many bytes.
    pub fn new(
        place: &S3Place,
        object_limit: usize,
        http: &Arc<Http>,
        secrets: &Arc<dyn SecretSource>,
    ) -> Result<Self, ObjectsError> {
        let terms = OwnTerms {
            ranges: place.private_ranges.clone().into(),
            response_limit: object_limit.max(PAGE_BYTES),
        };
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(50),
                max_backoff: Duration::from_secs(1),
                base: 2.0,
            },
            max_retries: RETRIES,
            retry_timeout: RETRY_FOR,
        };
        let scheme = if place.endpoint.scheme == Scheme::Https { "https" } else { "http" };
        let builder = AmazonS3Builder::new()
            .with_endpoint(format!("{scheme}://{}", place.endpoint.authority()))
            .with_region(&place.region)
            .with_bucket_name(&place.bucket)
            .with_virtual_hosted_style_request(false)
            .with_allow_http(place.endpoint.scheme == Scheme::Http)
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(Carrier { http: http.clone(), terms });
        let builder = match &place.keys {
            Some(keys) => {
                let kept = KeptKeys { keys: keys.clone(), secrets: secrets.clone() };
                builder.with_credentials(Arc::new(kept))
            }
            None => builder.with_skip_signature(true),
        };
        let store = builder.build().map_err(ObjectsError::Store)?;
        Ok(Self { store, http: http.clone(), prefix: place.prefix.clone() })
    }

    /// The key as the server knows it.
    fn path(&self, key: &str) -> Result<Path, CallError> {
        Path::parse(self.whole(key)).map_err(|_| CallError::new(Status::Invalid, "the key is none for S3"))
    }

    fn whole(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    /// Reads an object, or so many bytes of it from an offset on: none behind its end.
    pub fn get(
        &self,
        name: ObjectName<'_>,
        (offset, length): (u64, Option<u64>),
        bounds: Bounds<'_>,
    ) -> Result<Vec<u8>, CallError> {
        let (store, path) = (self.store.clone(), self.path(name.key)?);
        let range = match (offset, length) {
            (0, None) => None,
            (offset, None) => Some(GetRange::Offset(offset)),
            (offset, Some(length)) => Some(GetRange::Bounded(offset..offset.saturating_add(length))),
        };
        // A range of nothing cannot be asked for; whether the object is there can.
        let head = length == Some(0);
        let range = range.filter(|_| !head);
        self.done(bounds, async move {
            let options = GetOptions { range, head, ..GetOptions::default() };
            let found = async { store.get_opts(&path, options).await?.bytes().await };
            match found.await {
                Ok(bytes) => Ok(bytes.to_vec()),
                Err(error) if among_causes::<BehindTheEnd>(&error).is_some() => Ok(Vec::new()),
                Err(error) => Err(refusal(&error)),
            }
        })
    }

    /// Makes or replaces an object.
    pub fn put(&self, name: ObjectName<'_>, bytes: &[u8], bounds: Bounds<'_>) -> Result<(), CallError> {
        let (store, path) = (self.store.clone(), self.path(name.key)?);
        let payload = PutPayload::from(bytes.to_vec());
        self.done(bounds, async move {
            store.put(&path, payload).await.map(drop).map_err(|error| refusal(&error))
        })
    }

    /// Deletes an object, if it is there.
    pub fn delete(&self, name: ObjectName<'_>, bounds: Bounds<'_>) -> Result<(), CallError> {
        let (store, path) = (self.store.clone(), self.path(name.key)?);
        self.done(bounds, async move {
            match store.delete(&path).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                done => done.map_err(|error| refusal(&error)),
            }
        })
    }

    /// Keys below a folder, in the order of their bytes: those after `after`, at most `most` of them.
    pub fn list(
        &self,
        folder: ObjectName<'_>,
        (after, most): (&str, usize),
        bounds: Bounds<'_>,
    ) -> Result<Vec<String>, CallError> {
        let store = self.store.clone();
        let mut prefix = self.whole(folder.key);
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let options = PaginatedListOptions {
            offset: (!after.is_empty()).then(|| self.whole(after)),
            max_keys: Some(most),
            ..PaginatedListOptions::default()
        };
        let own = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        self.done(bounds, async move {
            let asked = (!prefix.is_empty()).then_some(prefix.as_str());
            let page = store.list_paginated(asked, options).await.map_err(|error| refusal(&error))?;
            let keys = page.result.objects.into_iter().take(most);
            Ok(keys.filter_map(|object| object.location.as_ref().get(own..).map(str::to_owned)).collect())
        })
    }

    fn done<T: Send + 'static>(
        &self,
        bounds: Bounds<'_>,
        work: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        if self.http.options().access == HttpAccess::None {
            return Err(Fault::Off.into());
        }
        self.http.wait(work, bounds.until, bounds.clock, bounds.cancel)
    }
}

/// Keys as the host keeps them: read anew for each request, so that a secret that is replaced counts at once.
#[derive(Debug)]
struct KeptKeys {
    keys: S3Keys,
    secrets: Arc<dyn SecretSource>,
}

/// A key that is not at hand.
#[derive(Debug, thiserror::Error)]
#[error("a secret of the bucket is not there, cannot be read or is not text")]
struct NoKey;

impl KeptKeys {
    fn read(&self, name: &str) -> Result<String, NoKey> {
        let secret = self.secrets.secret(name).map_err(|_| NoKey)?.ok_or(NoKey)?;
        std::str::from_utf8(&secret).map(str::to_owned).map_err(|_| NoKey)
    }

    fn credential(&self) -> Result<AwsCredential, NoKey> {
        Ok(AwsCredential {
            key_id: self.read(&self.keys.access_key)?,
            secret_key: self.read(&self.keys.secret_key)?,
            token: self.keys.session_token.as_deref().map(|name| self.read(name)).transpose()?,
        })
    }
}

type Found<'f> = Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'f>>;

impl CredentialProvider for KeptKeys {
    type Credential = AwsCredential;

    fn get_credential<'s: 'f, 'f>(&'s self) -> Found<'f> {
        let found = self.credential().map(Arc::new);
        let failed = |error| object_store::Error::Generic { store: "S3", source: Box::new(error) };
        Box::pin(std::future::ready(found.map_err(failed)))
    }
}

/// Looks for a cause of this type.
fn among_causes<E: std::error::Error + 'static>(error: &object_store::Error) -> Option<&E> {
    let first: &(dyn std::error::Error + 'static) = error;
    std::iter::successors(Some(first), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// Why the store did not do it, in the words of this host: what a server says is its own, but for its code.
fn refusal(error: &object_store::Error) -> CallError {
    use object_store::Error as E;
    if let Some(fault) = among_causes::<Fault>(error) {
        return (*fault).into();
    }
    if among_causes::<NoKey>(error).is_some() {
        return CallError::new(Status::Unavailable, NoKey.to_string());
    }
    let code = server_code(&error.to_string());
    match (error, code.as_deref()) {
        (E::NotFound { .. }, None | Some("NoSuchKey")) => {
            CallError::new(Status::NotFound, "there is no such object")
        }
        (E::AlreadyExists { .. } | E::Precondition { .. }, _) => {
            CallError::new(Status::Conflict, "another request changed the object")
        }
        (_, Some(code)) => CallError::new(Status::Unavailable, format!("the store refused: {code}")),
        (_, None) => CallError::new(Status::Unavailable, "the store failed"),
    }
}

/// The code of an error of S3, which is one word.
fn server_code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let word = (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    word.then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_server_says_only_its_code_is_told() {
        let said = |body: &str| object_store::Error::Generic { store: "S3", source: body.to_owned().into() };
        let told = |body: &str| refusal(&said(body)).cause.into_owned();
        let body = "x <Error><Code>AccessDenied</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!(told(body), "the store refused: AccessDenied");
        for body in
            ["", "<Code>", "<Code></Code>", "<Code>a b</Code>", &format!("<Code>{}</Code>", "a".repeat(65))]
        {
            assert_eq!(told(body), "the store failed", "{body}");
        }
    }
}
