//! Whom a client believes to be the server: a certificate that the system's roots vouch
//! for, or one whose key a person confirmed once. A confirmed key never replaces the
//! handshake's signature: that the server holds the key is checked each time (RFC 8446,
//! 4.4.3); what is left out is only who vouches for it.

use crate::domain::failure::said;
use crate::domain::{Failure, FailureKind, Outcome};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The SHA-256 of a key (its SubjectPublicKeyInfo), as people compare it.
pub fn fingerprint(key: &[u8]) -> String {
    let hash = ring_sha256(key);
    format!("SHA256:{}", BASE64_STANDARD_NO_PAD.encode(hash))
}

fn ring_sha256(bytes: &[u8]) -> Vec<u8> {
    let suites = rustls::crypto::ring::ALL_CIPHER_SUITES;
    let sha256 = suites.iter().find_map(|suite| match suite {
        rustls::SupportedCipherSuite::Tls13(suite) => {
            let hash = suite.common.hash_provider;
            (hash.output_len() == 32).then_some(hash)
        }
        _ => None,
    });
    sha256.map(|hash| hash.hash(bytes).as_ref().to_vec()).unwrap_or_default()
}

/// Checks servers for one address.
#[derive(Debug)]
pub struct Verifier {
    provider: Arc<CryptoProvider>,
    roots: Option<rustls_platform_verifier::Verifier>,
    /// The key that was confirmed for this address.
    pinned: Option<String>,
    /// The key that the server showed last.
    seen: Mutex<Option<String>>,
}

/// What a handshake with another key than the confirmed one is refused with.
const CHANGED: &str = "the server's key is not the one that was confirmed";
/// And one whose key nobody confirmed.
const UNKNOWN: &str = "nobody has confirmed this server's key yet";

impl Verifier {
    /// `more` is a file of certificates to believe besides the system's.
    pub fn new(pinned: Option<String>, more: Option<&Path>) -> Outcome<Arc<Verifier>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = match more {
            None => rustls_platform_verifier::Verifier::new(provider.clone()).ok(),
            Some(path) => {
                let bad = |e: &dyn std::fmt::Display| {
                    Failure::invalid(format!("{} holds no certificates: {e}", path.display()))
                };
                let more = CertificateDer::pem_file_iter(path).map_err(|e| bad(&e))?;
                let more = more.collect::<Result<Vec<_>, _>>().map_err(|e| bad(&e))?;
                let made = rustls_platform_verifier::Verifier::new_with_extra_roots(more, provider.clone());
                Some(made.map_err(|e| bad(&e))?)
            }
        };
        Ok(Arc::new(Verifier { provider, roots, pinned, seen: Mutex::default() }))
    }

    /// The key that the server showed in the last handshake.
    pub fn seen(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    pub fn config(self: &Arc<Verifier>) -> Outcome<ClientConfig> {
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| Failure::internal(format!("TLS cannot be set up: {e}")))?;
        Ok(config.dangerous().with_custom_certificate_verifier(self.clone()).with_no_client_auth())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = fingerprint(ParsedCertificate::try_from(cert)?.subject_public_key_info().as_ref());
        *self.seen.lock().unwrap_or_else(|e| e.into_inner()) = Some(key.clone());
        match &self.pinned {
            Some(pinned) if *pinned == key => return Ok(ServerCertVerified::assertion()),
            Some(_) => return Err(Error::General(CHANGED.into())),
            None => {}
        }
        match &self.roots {
            Some(roots) => roots
                .verify_server_cert(cert, chain, name, ocsp, now)
                .map_err(|_| Error::General(UNKNOWN.into())),
            None => Err(Error::General(UNKNOWN.into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The failure for a key that is not trusted, if that is why a call failed.
pub fn changed_key(error: &(dyn std::error::Error + 'static)) -> Option<Failure> {
    let mut cause = Some(error);
    while let Some(one) = cause {
        let text = one.to_string();
        if text.contains(CHANGED) {
            return Some(
                Failure::new(FailureKind::Denied, "The server shows another key than the one you confirmed")
                    .hint("Ask its operator; if it was changed on purpose: `pams trust --replace`"),
            );
        }
        if text.contains(UNKNOWN) {
            return Some(
                Failure::new(FailureKind::Denied, "Nobody has confirmed the key of this server yet")
                    .hint("`pams login` shows its fingerprint; compare it with what `pams serve` printed"),
            );
        }
        cause = one.source();
    }
    None
}

/// The keys that were confirmed, one `address fingerprint` a line.
pub struct Known<'p> {
    pub path: &'p Path,
}

impl Known<'_> {
    fn lines(&self) -> Outcome<Vec<(String, String)>> {
        let text = match std::fs::read_to_string(self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            Err(e) => return Err(self.failed(&e)),
        };
        let pair = |line: &str| line.split_once(' ').map(|(a, f)| (a.to_owned(), f.trim().to_owned()));
        Ok(text.lines().filter(|l| !l.starts_with('#')).filter_map(pair).collect())
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::invalid(format!("{} cannot be used: {}", self.path.display(), said(error)))
    }

    pub fn find(&self, url: &str) -> Outcome<Option<String>> {
        Ok(self.lines()?.into_iter().find(|(address, _)| address == url).map(|(_, key)| key))
    }

    /// Confirms a key for an address, in place of the one before.
    pub fn put(&self, url: &str, key: &str) -> Outcome<()> {
        let mut lines = self.lines()?;
        lines.retain(|(address, _)| address != url);
        lines.push((url.to_owned(), key.to_owned()));
        let text: String = lines.iter().map(|(address, key)| format!("{address} {key}\n")).collect();
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| self.failed(&e))?;
        }
        let part = self.path.with_extension("part");
        std::fs::write(&part, text)
            .and_then(|()| std::fs::rename(&part, self.path))
            .map_err(|e| self.failed(&e))
    }
}
