//! Kubeconfigs that users put into Secrets.

use kube::Config;
use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig};

use super::Secret;
use crate::Error;

/// What a kubeconfig from a Secret may do beyond its inline data, and what a description of a cluster in a ConfigMap may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    /// `--insecure-kubeconfig-tls`: the server's certificate need not be valid.
    pub insecure_tls: bool,
    /// Gate `ObjectLevelWorkloadIdentity`: tokens of other accounts than the controller's own may be used.
    pub object_level_identity: bool,
    /// The account whose tokens are used where a ConfigMap names none (`--default-kubeconfig-service-account`); empty for
    /// the controller's own.
    pub default_account: String,
}

/// A kubeconfig that was reduced to what cannot harm: server, TLS name, inline certificates and keys, user and password,
/// inline token, proxy. Files, commands and auth providers are dropped, since they would run or be read on our side.
pub struct KubeconfigSource {
    kubeconfig: Kubeconfig,
}

impl KubeconfigSource {
    /// Reads the kubeconfig of a Secret: the given key, or else `value`, or else `value.yaml`.
    ///
    /// # Errors
    /// When the key is missing or its content is not a kubeconfig.
    pub fn from_secret(secret: &Secret, key: Option<&str>, allow: &Allow) -> Result<Self, Error> {
        let text = match key.filter(|key| !key.is_empty()) {
            Some(key) => secret.text(key).ok_or_else(|| {
                Error::Kubeconfig(format!(
                    "KubeConfig secret '{}' does not contain a '{key}' key with a kubeconfig",
                    secret.id()
                ))
            }),
            None => secret.text("value").or_else(|| secret.text("value.yaml")).ok_or_else(|| {
                Error::Kubeconfig(format!(
                    "KubeConfig secret '{}' does not contain a 'value' key with a kubeconfig",
                    secret.id()
                ))
            }),
        }?;
        // The parser's message may quote the text, which holds credentials.
        let parsed = Kubeconfig::from_yaml(&text).map_err(|_| {
            Error::Kubeconfig(format!("KubeConfig secret '{}' does not hold a valid kubeconfig", secret.id()))
        })?;
        Ok(Self { kubeconfig: sanitised(parsed, allow) })
    }

    pub(super) async fn config(&self) -> Result<Config, Error> {
        Config::from_custom_kubeconfig(self.kubeconfig.clone(), &KubeConfigOptions::default())
            .await
            .map_err(|error| Error::Kubeconfig(format!("the kubeconfig cannot be used: {error}")))
    }
}

fn sanitised(mut kubeconfig: Kubeconfig, allow: &Allow) -> Kubeconfig {
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        *cluster = Cluster {
            server: cluster.server.take(),
            tls_server_name: cluster.tls_server_name.take(),
            certificate_authority_data: cluster.certificate_authority_data.take(),
            proxy_url: cluster.proxy_url.take(),
            insecure_skip_tls_verify: cluster.insecure_skip_tls_verify.filter(|_| allow.insecure_tls),
            ..Cluster::default()
        };
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        *user = AuthInfo {
            username: user.username.take(),
            password: user.password.take(),
            token: user.token.take(),
            client_certificate_data: user.client_certificate_data.take(),
            client_key_data: user.client_key_data.take(),
            ..AuthInfo::default()
        };
    }
    kubeconfig
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_inline_data_survives() {
        let text = r"
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
clusters:
- name: k
  cluster:
    server: https://example.test:6443
    tls-server-name: kube
    insecure-skip-tls-verify: true
    certificate-authority: /etc/passwd
    proxy-url: http://proxy:3128
users:
- name: u
  user:
    token: t
    tokenFile: /etc/passwd
    client-key: /etc/passwd
    as: admin
    exec: {apiVersion: client.authentication.k8s.io/v1, command: evil}
";
        let parsed = Kubeconfig::from_yaml(text).unwrap();
        let clean = sanitised(parsed.clone(), &Allow::default());
        let cluster = clean.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://example.test:6443"));
        assert_eq!(cluster.tls_server_name.as_deref(), Some("kube"));
        assert_eq!(cluster.proxy_url.as_deref(), Some("http://proxy:3128"));
        assert!(cluster.certificate_authority.is_none() && cluster.insecure_skip_tls_verify.is_none());
        let user = clean.auth_infos[0].auth_info.as_ref().unwrap();
        assert!(user.token.is_some());
        assert!(
            user.token_file.is_none()
                && user.exec.is_none()
                && user.client_key.is_none()
                && user.impersonate.is_none()
        );
        let insecure = sanitised(parsed, &Allow { insecure_tls: true, ..Allow::default() });
        assert_eq!(insecure.clusters[0].cluster.as_ref().unwrap().insecure_skip_tls_verify, Some(true));
    }
}
