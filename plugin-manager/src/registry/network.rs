//! From the configuration to the client of requests, the issuers of tokens and the buckets of objects.

use super::error::HostError;
use crate::config::{Config, NetworkAccess, S3Bucket, TokenIssuer, TokenSignature};
use crate::extension::{
    BadUrl, Http, HttpAccess, HttpOptions, Issuer, Issuers, KeySource, ObjectOptions, ObjectPlace, Objects,
    Range, S3Keys, S3Place, SecretSource, SystemResolver, Tls, TokenAlgorithm, Vouchers,
};
use common::error::ForgeError;
use std::sync::Arc;

/// The client this configuration asks for.
pub(super) fn http(config: &Config) -> Result<Arc<Http>, ForgeError> {
    let vouchers = match &config.network.tls_roots {
        Some(path) => Vouchers::Given(Tls::from_file(path).map_err(HostError::TlsRoots)?),
        None => Vouchers::System,
    };
    Ok(Arc::new(Http::new(options(config)?, vouchers, Arc::new(SystemResolver))))
}

fn options(config: &Config) -> Result<HttpOptions, ForgeError> {
    let network = &config.network;
    let ranges = network.private_ranges.iter().map(|range| range.parse::<Range>());
    Ok(HttpOptions {
        access: match config.sandbox.network_access {
            NetworkAccess::None => HttpAccess::None,
            NetworkAccess::Restricted => HttpAccess::Restricted,
            NetworkAccess::Open => HttpAccess::Open,
        },
        private_ranges: ranges.collect::<Result<_, _>>().map_err(HostError::Range)?,
        plain_http: network.plain_scopes(),
        redirects: network.redirects,
        timeout: network.request_timeout.0,
        response_limit: usize::try_from(network.response_limit.0).unwrap_or(usize::MAX),
        at_once: network.requests_at_once,
        requests_per_second: network.requests_per_second,
        bytes_per_second: network.bytes_per_second.0,
    })
}

/// The issuers this configuration names.
pub(super) fn issuers(config: &Config, http: &Arc<Http>) -> Result<Arc<Issuers>, ForgeError> {
    let issuers = config.auth.issuers.iter().map(issuer).collect::<Result<_, _>>();
    Ok(Arc::new(Issuers::new(issuers.map_err(HostError::KeysUrl)?, http.clone())))
}

fn issuer(named: &TokenIssuer) -> Result<Issuer, BadUrl> {
    let keys = match named.keys.starts_with("https://") {
        true => KeySource::Url(named.keys.parse()?),
        false => KeySource::File(named.keys.clone().into()),
    };
    let algorithm = |signature: &TokenSignature| match signature {
        TokenSignature::RS256 => TokenAlgorithm::Rs256,
        TokenSignature::ES256 => TokenAlgorithm::Es256,
        TokenSignature::EdDSA => TokenAlgorithm::EdDsa,
    };
    Ok(Issuer {
        name: named.issuer.clone(),
        audiences: named.audiences.clone(),
        algorithms: named.algorithms.iter().map(algorithm).collect(),
        keys,
        leeway: named.leeway.0,
        refresh: named.refresh.0,
    })
}

/// The buckets this configuration names.
pub(super) fn objects(
    config: &Config,
    http: &Arc<Http>,
    secrets: &Arc<dyn SecretSource>,
) -> Result<Arc<Objects>, ForgeError> {
    let objects = &config.objects;
    let folders = objects.folders.iter().map(|(name, bucket)| {
        let path = bucket.path.clone();
        let place = ObjectPlace::Folder { path, bytes: bucket.capacity.0, entries: bucket.entries };
        Ok((name.clone(), place))
    });
    let stores = objects.s3.iter().map(|(name, s3)| Ok((name.clone(), ObjectPlace::S3(s3_place(s3)?))));
    let options = ObjectOptions {
        buckets: folders.chain(stores).collect::<Result<_, HostError>>()?,
        object_limit: usize::try_from(objects.object_limit.0).unwrap_or(usize::MAX),
        timeout: objects.request_timeout.0,
        at_once: objects.requests_at_once,
        requests_per_second: objects.requests_per_second,
        bytes_per_second: objects.bytes_per_second.0,
    };
    Ok(Arc::new(Objects::new(&options, http, secrets).map_err(HostError::Objects)?))
}

fn s3_place(s3: &S3Bucket) -> Result<S3Place, HostError> {
    let ranges = s3.private_ranges.iter().map(|range| range.parse::<Range>());
    let keys = s3.access_key.clone().zip(s3.secret_key.clone());
    Ok(S3Place {
        endpoint: s3.endpoint.parse().map_err(HostError::Endpoint)?,
        region: s3.region.clone(),
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        keys: keys.map(|(access_key, secret_key)| S3Keys {
            access_key,
            secret_key,
            session_token: s3.session_token.clone(),
        }),
        private_ranges: ranges.collect::<Result<_, _>>().map_err(HostError::Range)?,
    })
}
