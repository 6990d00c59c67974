//! TLS settings and their keys in a Secret.

use std::collections::BTreeMap;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Error, Secret};

/// What a custom CA does to the system's trust store.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CaUse {
    /// Trusted in addition to the system's CAs: every source of source-controller.
    #[default]
    Add,
    /// The only CAs trusted: notification-controller.
    Replace,
    /// Not asked at all: any certificate will do. Only for servers that somebody called insecure.
    Ignore,
}

/// A client certificate with its key, both PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate chain, leaf first.
    pub certificate: Secret,
    /// The private key (PKCS#8, PKCS#1 or SEC1).
    pub key: Secret,
}

/// TLS settings of one object. Default: system CAs, no client certificate.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM bundle of CA certificates.
    pub ca: Option<Secret>,
    /// What `ca` does to the system's CAs.
    pub ca_use: CaUse,
    /// The client certificate.
    pub identity: Option<Identity>,
    /// The legacy keys that were used, to be logged by the caller.
    pub legacy_keys: Vec<&'static str>,
}

impl Tls {
    /// TLS settings from the data of the Secret `name` (`namespace/name`), which must hold some:
    /// `ca.crt`, `tls.crt` and `tls.key`, or their legacy names `caFile`, `certFile` and `keyFile`.
    ///
    /// # Errors
    /// None of the keys, half a pair, or unreadable PEM.
    pub fn from_secret(name: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let tls = Self::from_secret_if_any(name, data)?;
        if tls.ca.is_none() && tls.identity.is_none() {
            return Err(Error::Credential(format!(
                "secret '{name}' must contain either 'ca.crt' or both 'tls.crt' and 'tls.key'"
            )));
        }
        Ok(tls)
    }

    /// As [`Tls::from_secret`] for a Secret whose TLS keys are optional.
    ///
    /// # Errors
    /// Half a pair, or unreadable PEM.
    pub fn from_secret_if_any(name: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let tls = Self::unchecked(name, data)?;
        tls.ca_certificates()?;
        tls.client_certificate()?;
        Ok(tls)
    }

    /// As [`Tls::from_secret_if_any`], but unreadable PEM is found out only when a client is made of it.
    pub(crate) fn unchecked(name: &str, data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Error> {
        let mut legacy_keys = Vec::new();
        let mut get = |key: &str, legacy: &'static str| match data.get(key).filter(|value| !value.is_empty())
        {
            Some(value) => Some(Secret::new(value.clone())),
            None => {
                let value = data.get(legacy).filter(|value| !value.is_empty())?;
                legacy_keys.push(legacy);
                Some(Secret::new(value.clone()))
            }
        };
        let ca = get("ca.crt", "caFile");
        let identity = match (get("tls.crt", "certFile"), get("tls.key", "keyFile")) {
            (Some(certificate), Some(key)) => Some(Identity { certificate, key }),
            (Some(_), None) => return Err(half(name, "tls.crt", "tls.key")),
            (None, Some(_)) => return Err(half(name, "tls.key", "tls.crt")),
            (None, None) => None,
        };
        Ok(Self { ca, ca_use: CaUse::Add, identity, legacy_keys })
    }

    /// The CA certificates, empty when none are set.
    pub(crate) fn ca_certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let Some(ca) = &self.ca else { return Ok(Vec::new()) };
        let certificates = CertificateDer::pem_slice_iter(ca.expose())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::CaCertificate)?;
        // A block labelled CERTIFICATE may still hold anything: each must parse as a trust anchor.
        let mut roots = rustls::RootCertStore::empty();
        let (usable, _) = roots.add_parsable_certificates(certificates.iter().cloned());
        if usable == 0 {
            return Err(Error::CaCertificate);
        }
        Ok(certificates)
    }

    /// The client certificate chain with its key, checked to be readable.
    pub(crate) fn client_certificate(
        &self,
    ) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, Error> {
        let Some(identity) = &self.identity else { return Ok(None) };
        let bad = |what: &str| Error::ClientCertificate(what.to_owned());
        let chain = CertificateDer::pem_slice_iter(identity.certificate.expose())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| bad("failed to find any PEM data in certificate input"))?;
        if chain.is_empty() {
            return Err(bad("failed to find any PEM data in certificate input"));
        }
        let key = PrivateKeyDer::from_pem_slice(identity.key.expose())
            .map_err(|_| bad("failed to find any PEM data in key input"))?;
        rustls::crypto::ring::sign::any_supported_type(&key)
            .map_err(|_| bad("unsupported or damaged private key"))?;
        Ok(Some((chain, key)))
    }
}

fn half(name: &str, present: &str, missing: &str) -> Error {
    Error::Credential(format!("secret '{name}' contains '{present}' but missing '{missing}'"))
}
