//! Which certificates vouch for a server: a file of the operator's, or the bundle of the operating system.

use pki_types::CertificateDer;
use pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where Linux distributions keep their bundle.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Why there are no roots.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// The file cannot be read as a list of certificates.
    #[error("the roots of TLS cannot be read from {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pki_types::pem::Error,
    },
    /// It holds no certificate that can vouch for a server.
    #[error("{path} holds no certificate that can vouch for a server")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The TLS library has no protocol version in common with itself.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// How servers prove who they are: TLS 1.2 and 1.3, no client certificates.
#[derive(Debug, Clone)]
pub struct Tls(pub(super) Arc<ClientConfig>);

impl Tls {
    /// Trusts the certificates of this file (PEM).
    ///
    /// # Errors
    /// When it cannot be read, or holds none that can be used.
    pub fn from_file(path: &Path) -> Result<Self, RootsError> {
        let file = |source| RootsError::File { path: path.to_owned(), source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(file)? {
            // A bundle may hold certificates of kinds that this build does not verify: they vouch for nothing.
            roots.add(certificate.map_err(file)?).ok();
        }
        if roots.is_empty() {
            return Err(RootsError::Empty { path: path.to_owned() });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(RootsError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Trusts the system's bundle; `None` where it has none in the usual places.
    ///
    /// # Errors
    /// When the bundle cannot be read.
    pub fn of_system() -> Result<Option<Self>, RootsError> {
        let found = BUNDLES.iter().map(Path::new).find(|path| path.is_file());
        found.map(Self::from_file).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_vouches_for_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roots.pem");
        assert!(matches!(Tls::from_file(&path), Err(RootsError::File { .. })));
        std::fs::write(&path, "no PEM at all").unwrap();
        assert!(matches!(Tls::from_file(&path), Err(RootsError::Empty { .. })));
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["x".into()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(&path, own.pem()).unwrap();
        assert!(Tls::from_file(&path).is_ok());
        std::fs::write(&path, own.pem().replace("END CERT", "END SERT")).unwrap();
        assert!(Tls::from_file(&path).is_err());
    }
}
