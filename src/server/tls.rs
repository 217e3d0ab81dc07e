//! Key and certificate of the server: those given, or a development certificate made at
//! the first start, which clients trust by its key.

use crate::domain::failure::said;
use crate::domain::{Failure, Outcome};
use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where they lie.
#[derive(Clone, Debug)]
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl Files {
    /// The given pair, else the one in the configuration folder, made if it is not there.
    pub fn find(given: Option<(PathBuf, PathBuf)>, folder: &Path, listen: SocketAddr) -> Outcome<Files> {
        if let Some((cert, key)) = given {
            return Ok(Files { cert, key });
        }
        let files = Files { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        if !files.cert.exists() || !files.key.exists() {
            files.make(folder, listen)?;
        }
        Ok(files)
    }

    fn make(&self, folder: &Path, listen: SocketAddr) -> Outcome<()> {
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        names.extend((!host.is_empty()).then_some(host));
        if !listen.ip().is_unspecified() {
            names.push(listen.ip().to_string());
        }
        names.sort();
        names.dedup();
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|e| Failure::internal(format!("A certificate cannot be made: {e}")))?;
        std::fs::create_dir_all(folder).map_err(|e| unwritable(folder, &e))?;
        write(&self.key, made.signing_key.serialize_pem().as_bytes(), 0o600)?;
        write(&self.cert, made.cert.pem().as_bytes(), 0o644)
    }

    /// What rustls serves, read anew.
    pub fn config(&self) -> Outcome<Arc<ServerConfig>> {
        let bad = |path: &Path, e: &dyn std::fmt::Display| {
            Failure::invalid(format!("{} cannot be used: {e}", path.display()))
        };
        let chain = CertificateDer::pem_file_iter(&self.cert).map_err(|e| bad(&self.cert, &e))?;
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|e| bad(&self.cert, &e))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|e| bad(&self.key, &e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Failure::internal(format!("TLS cannot be set up: {e}")))?;
        let mut config =
            config.with_no_client_auth().with_single_cert(chain, key).map_err(|e| bad(&self.cert, &e))?;
        // The server's order of ciphers counts, not the client's.
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The fingerprint of the key that people compare: see [`crate::remote::trust`].
    pub fn fingerprint(&self) -> Outcome<String> {
        let cert = CertificateDer::from_pem_file(&self.cert)
            .map_err(|e| Failure::invalid(format!("{} cannot be read: {e}", self.cert.display())))?;
        let parsed = ParsedCertificate::try_from(&cert)
            .map_err(|e| Failure::invalid(format!("{} is no certificate: {e}", self.cert.display())))?;
        Ok(crate::remote::trust::fingerprint(parsed.subject_public_key_info().as_ref()))
    }

    pub fn acceptor(&self) -> Outcome<RustlsConfig> {
        Ok(RustlsConfig::from_config(self.config()?))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::invalid(format!("{} cannot be written: {}", path.display(), said(error)))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Outcome<()> {
    let _ = std::fs::remove_file(path);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|e| unwritable(path, &e))
}
