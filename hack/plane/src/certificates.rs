//! The plane's own certificate authority, serving certificate and service-account key.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// Files that the servers are started with.
pub(crate) struct Certificates {
    /// The authority that clients trust.
    pub(crate) ca: PathBuf,
    /// The API server's certificate and key.
    pub(crate) serving: PathBuf,
    pub(crate) serving_key: PathBuf,
    /// The key that service-account tokens are signed with, and its public half.
    pub(crate) accounts_key: PathBuf,
    pub(crate) accounts_public: PathBuf,
}

impl Certificates {
    /// Writes a new set into `dir`.
    pub(crate) fn write(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let ca_key = KeyPair::generate()?;
        let mut ca_params = CertificateParams::new(Vec::<String>::new())?;
        ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca_params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca_params.distinguished_name.push(DnType::CommonName, "millrace test plane");
        let ca = ca_params.self_signed(&ca_key)?;
        let issuer = Issuer::new(ca_params, ca_key);

        let serving_key = KeyPair::generate()?;
        let names = ["localhost", "127.0.0.1", "kubernetes.default.svc", "10.96.0.1"];
        let mut serving_params = CertificateParams::new(names.map(String::from))?;
        serving_params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        let serving = serving_params.signed_by(&serving_key, &issuer)?;

        let accounts_key = KeyPair::generate()?;
        let write = |name: &str, text: String| -> Result<PathBuf> {
            let path = dir.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            ca: write("ca.crt", ca.pem())?,
            serving: write("apiserver.crt", serving.pem())?,
            serving_key: write("apiserver.key", serving_key.serialize_pem())?,
            accounts_key: write("accounts.key", accounts_key.serialize_pem())?,
            accounts_public: write("accounts.pub", accounts_key.public_key_pem())?,
        })
    }
}
