//! What templates learn of the cluster.

use std::sync::LazyLock;

use gotemplate::Value;

/// A version of Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeVersion {
    /// The whole version with what the vendor adds, for example `v1.33.4-gke.1245000`.
    pub version: String,
    /// The numbers alone, for example `v1.33.4`; ranges are checked against these.
    pub normalized: String,
    /// First number.
    pub major: String,
    /// Second number, as the server says it; some add a `+`.
    pub minor: String,
}

impl KubeVersion {
    /// Reads a version of at least two numbers, with or without `v`.
    ///
    /// # Errors
    /// Kubernetes' own text.
    ///
    /// ```
    /// let version = chart::KubeVersion::parse("1.33.4-gke.1245000").unwrap();
    /// assert_eq!((&*version.version, &*version.normalized), ("v1.33.4-gke.1245000", "v1.33.4"));
    /// ```
    pub fn parse(text: &str) -> Result<KubeVersion, String> {
        let trimmed = text.trim_start();
        let numbers = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let mut end = 0;
        for (i, part) in numbers.split('.').enumerate() {
            let digits = part.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 0 {
                break;
            }
            end += digits + usize::from(i > 0);
            if digits < part.len() {
                break;
            }
        }
        let numbers = numbers.get(..end).unwrap_or_default();
        if numbers.is_empty() {
            return Err(format!("could not parse {} as version", gotemplate::quote(text.as_bytes())));
        }
        let mut parts = numbers.split('.');
        let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
            return Err(format!("illegal version string {}", gotemplate::quote(text.as_bytes())));
        };
        if major.len() > 1 && major.starts_with('0') {
            let text = gotemplate::quote(text.as_bytes());
            return Err(format!("illegal zero-prefixed version component {major:?} in {text}"));
        }
        let plain = |part: &str| match part.trim_start_matches('0') {
            "" => "0".to_owned(),
            part => part.to_owned(),
        };
        let normalized: Vec<String> = numbers.split('.').map(plain).collect();
        let version = if text.starts_with('v') { text.to_owned() } else { format!("v{text}") };
        let normalized = format!("v{}", normalized.join("."));
        Ok(KubeVersion { version, normalized, major: plain(major), minor: plain(minor) })
    }
}

/// `.Capabilities`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The cluster's version.
    pub kube_version: KubeVersion,
    /// What the cluster serves: `group/version` and `group/version/Kind`.
    pub api_versions: Vec<String>,
    /// The Helm that we stand in for; charts compare it.
    pub helm_version: String,
    /// The Go that it would have been built with.
    pub go_version: String,
    /// The Kubernetes client that it would have.
    pub client_version: String,
}

/// Without a cluster: what `helm template` of Helm 4.2 assumes, a cluster of Kubernetes 1.36 with everything that its
/// client library knows.
impl Default for Capabilities {
    fn default() -> Capabilities {
        let version = "v1.36.0".to_owned();
        Capabilities {
            kube_version: KubeVersion {
                normalized: version.clone(),
                version,
                major: "1".to_owned(),
                minor: "36".to_owned(),
            },
            api_versions: KNOWN_VERSIONS.iter().map(|known| (*known).to_owned()).collect(),
            helm_version: "v4.2.4".to_owned(),
            go_version: "go1.26".to_owned(),
            client_version: "v1.36".to_owned(),
        }
    }
}

impl Capabilities {
    pub(crate) fn value(&self) -> Value {
        sprig::context::Capabilities {
            kube_version: &self.kube_version.version,
            major: &self.kube_version.major,
            minor: &self.kube_version.minor,
            api_versions: self.api_versions.iter().enumerate().map(shared).collect(),
            helm_version: &self.helm_version,
            go_version: &self.go_version,
            client_version: &self.client_version,
        }
        .value()
    }

    /// True when a range admits the cluster's version.
    #[must_use]
    pub fn admits(&self, range: &str) -> bool {
        compatible(range, &self.kube_version.normalized)
    }
}

/// The text of a version: a known one, in its place, is the same text every time.
fn shared((place, version): (usize, &String)) -> sprig::Str {
    static KNOWN: LazyLock<Vec<sprig::Str>> =
        LazyLock::new(|| KNOWN_VERSIONS.iter().map(|version| (*version).into()).collect());
    match KNOWN.get(place) {
        Some(known) if **known == *version.as_bytes() => known.clone(),
        _ => version.as_str().into(),
    }
}

/// True when both can be read, and the version is in the range.
pub(crate) fn compatible(range: &str, version: &str) -> bool {
    match (semver::Version::parse(version), semver::Constraint::parse(range)) {
        (Ok(version), Ok(range)) => range.check(&version),
        _ => false,
    }
}

const KNOWN_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha2",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_kubernetes_reads_them() {
        let read = |text: &str| KubeVersion::parse(text).map(|v| (v.version, v.normalized, v.minor));
        let owned = |v: &str, n: &str, m: &str| Ok((v.to_owned(), n.to_owned(), m.to_owned()));
        assert_eq!(read("1.30"), owned("v1.30", "v1.30", "30"));
        assert_eq!(read("v1.33.4-gke.12+x"), owned("v1.33.4-gke.12+x", "v1.33.4", "33"));
        assert_eq!(read("1"), Err("illegal version string \"1\"".to_owned()));
        assert_eq!(read("x"), Err("could not parse \"x\" as version".to_owned()));
    }
}
