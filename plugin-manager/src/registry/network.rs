//! From the configuration to the client of requests and the issuers of tokens.

use super::error::HostError;
use crate::config::{Config, NetworkAccess, TokenIssuer, TokenSignature};
use crate::extension::{
    BadUrl, Http, HttpAccess, HttpOptions, Issuer, Issuers, KeySource, Range, SystemResolver, Tls,
    TokenAlgorithm, Vouchers,
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
