//! The default configuration, as tables. Paths that every pod template has are written once, relative to the pod.

use patch::FieldPath;

use super::{BackReference, Config, FieldSpec};
use crate::resource::Gvk;

/// `(group, version, kind, path, create)`
type Row = (&'static str, &'static str, &'static str, &'static str, bool);

/// Kinds that hold a pod specification, the API version that kustomize demands, and where the specification is.
const POD_HOLDERS: &[(&str, &str, &str)] = &[
    ("Pod", "v1", "spec"),
    ("PodTemplate", "", "template/spec"),
    ("Deployment", "", "spec/template/spec"),
    ("ReplicaSet", "", "spec/template/spec"),
    ("DaemonSet", "", "spec/template/spec"),
    ("StatefulSet", "", "spec/template/spec"),
    ("Job", "", "spec/template/spec"),
    ("CronJob", "", "spec/jobTemplate/spec/template/spec"),
];

/// The pod holders of the references that kustomize added later (service accounts, claims, priorities).
const LATER_POD_HOLDERS: &[(&str, &str, &str)] = &[
    ("Pod", "", "spec"),
    ("StatefulSet", "", "spec/template/spec"),
    ("Deployment", "", "spec/template/spec"),
    ("ReplicationController", "", "spec/template/spec"),
    ("CronJob", "", "spec/jobTemplate/spec/template/spec"),
    ("Job", "", "spec/template/spec"),
    ("DaemonSet", "", "spec/template/spec"),
];

/// Where a pod names ConfigMaps.
const POD_CONFIG_MAPS: &[&str] = &[
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
];

/// Where a pod names Secrets.
const POD_SECRETS: &[&str] = &[
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
];

/// Where a pod may hold `$(VAR)`.
const POD_VARS: &[&str] = &[
    "containers/args",
    "containers/command",
    "containers/env/value",
    "containers/volumeMounts/mountPath",
    "initContainers/args",
    "initContainers/command",
    "initContainers/env/value",
    "initContainers/volumeMounts/mountPath",
];

const NAME: &[Row] = &[("", "", "", "metadata/name", false)];

const NAMESPACE: &[Row] = &[
    ("", "", "Namespace", "metadata/name", true),
    ("apiregistration.k8s.io", "", "APIService", "spec/service/namespace", true),
    (
        "apiextensions.k8s.io",
        "",
        "CustomResourceDefinition",
        "spec/conversion/webhook/clientConfig/service/namespace",
        false,
    ),
];

const IMAGES: &[Row] = &[
    ("", "", "", "spec/containers[]/image", true),
    ("", "", "", "spec/initContainers[]/image", true),
    ("", "", "", "spec/volumes[]/image/reference", true),
    ("", "", "", "spec/template/spec/containers[]/image", true),
    ("", "", "", "spec/template/spec/initContainers[]/image", true),
    ("", "", "", "spec/template/spec/volumes[]/image/reference", true),
];

const REPLICAS: &[Row] = &[
    ("", "", "Deployment", "spec/replicas", true),
    ("", "", "ReplicationController", "spec/replicas", true),
    ("", "", "ReplicaSet", "spec/replicas", true),
    ("", "", "StatefulSet", "spec/replicas", true),
];

const TEMPLATE_LABELS: &[Row] = &[
    ("", "", "", "metadata/labels", true),
    ("", "v1", "ReplicationController", "spec/template/metadata/labels", true),
    ("", "", "Deployment", "spec/template/metadata/labels", true),
    ("", "", "ReplicaSet", "spec/template/metadata/labels", true),
    ("", "", "DaemonSet", "spec/template/metadata/labels", true),
    ("apps", "", "StatefulSet", "spec/template/metadata/labels", true),
    ("batch", "", "Job", "spec/template/metadata/labels", true),
    ("batch", "", "CronJob", "spec/jobTemplate/metadata/labels", true),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/template/metadata/labels", true),
];

const CLAIM_TEMPLATE_LABELS: &[Row] =
    &[("apps", "", "StatefulSet", "spec/volumeClaimTemplates[]/metadata/labels", true)];

const SELECTORS: &[Row] = &[
    ("", "v1", "Service", "spec/selector", true),
    ("", "v1", "ReplicationController", "spec/selector", true),
    ("", "", "Deployment", "spec/selector/matchLabels", true),
    ("", "", "ReplicaSet", "spec/selector/matchLabels", true),
    ("", "", "DaemonSet", "spec/selector/matchLabels", true),
    ("apps", "", "StatefulSet", "spec/selector/matchLabels", true),
    ("batch", "", "Job", "spec/selector/matchLabels", false),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/selector/matchLabels", false),
    ("policy", "", "PodDisruptionBudget", "spec/selector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/podSelector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/ingress/from/podSelector/matchLabels", false),
    ("networking.k8s.io", "", "NetworkPolicy", "spec/egress/to/podSelector/matchLabels", false),
];

/// Selectors inside the pod template of Deployments and StatefulSets, relative to the pod.
const POD_SELECTORS: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

const ANNOTATIONS: &[Row] = &[
    ("", "", "", "metadata/annotations", true),
    ("", "v1", "ReplicationController", "spec/template/metadata/annotations", true),
    ("", "", "Deployment", "spec/template/metadata/annotations", true),
    ("", "", "ReplicaSet", "spec/template/metadata/annotations", true),
    ("", "", "DaemonSet", "spec/template/metadata/annotations", true),
    ("", "", "StatefulSet", "spec/template/metadata/annotations", true),
    ("batch", "", "Job", "spec/template/metadata/annotations", true),
    ("batch", "", "CronJob", "spec/jobTemplate/metadata/annotations", true),
    ("batch", "", "CronJob", "spec/jobTemplate/spec/template/metadata/annotations", true),
];

/// A kind referred to, and the fields outside of pods that name it.
const REFERENCES: &[(Row, &[Row])] = &[
    (
        ("", "v1", "ConfigMap", "", false),
        &[
            ("", "", "Node", "spec/configSource/configMap", false),
            ("", "", "Role", "rules/resourceNames", false),
            ("", "", "ClusterRole", "rules/resourceNames", false),
            (
                "",
                "",
                "Ingress",
                "metadata/annotations/nginx.ingress.kubernetes.io\\/fastcgi-params-configmap",
                false,
            ),
        ],
    ),
    (
        ("", "v1", "Secret", "", false),
        &[
            ("", "", "Ingress", "spec/tls/secretName", false),
            ("", "", "Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret", false),
            ("", "", "Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret", false),
            ("", "", "Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret", false),
            ("", "", "ServiceAccount", "imagePullSecrets/name", false),
            ("", "", "StorageClass", "parameters/secretName", false),
            ("", "", "StorageClass", "parameters/adminSecretName", false),
            ("", "", "StorageClass", "parameters/userSecretName", false),
            ("", "", "StorageClass", "parameters/secretRef", false),
            ("", "", "Role", "rules/resourceNames", false),
            ("", "", "ClusterRole", "rules/resourceNames", false),
            (
                "serving.knative.dev",
                "v1",
                "Service",
                "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
                false,
            ),
            ("", "", "PersistentVolume", "spec/azureFile/secretName", false),
        ],
    ),
    (
        ("", "v1", "Service", "", false),
        &[
            ("apps", "", "StatefulSet", "spec/serviceName", false),
            ("", "", "Ingress", "spec/rules/http/paths/backend/serviceName", false),
            ("", "", "Ingress", "spec/backend/serviceName", false),
            ("", "", "Ingress", "spec/rules/http/paths/backend/service/name", false),
            ("", "", "Ingress", "spec/defaultBackend/service/name", false),
            ("apiregistration.k8s.io", "", "APIService", "spec/service/name", false),
            (
                "admissionregistration.k8s.io",
                "",
                "ValidatingWebhookConfiguration",
                "webhooks/clientConfig/service",
                false,
            ),
            (
                "admissionregistration.k8s.io",
                "",
                "MutatingWebhookConfiguration",
                "webhooks/clientConfig/service",
                false,
            ),
        ],
    ),
    (
        ("rbac.authorization.k8s.io", "", "Role", "", false),
        &[("rbac.authorization.k8s.io", "", "RoleBinding", "roleRef/name", false)],
    ),
    (
        ("rbac.authorization.k8s.io", "", "ClusterRole", "", false),
        &[
            ("rbac.authorization.k8s.io", "", "RoleBinding", "roleRef/name", false),
            ("rbac.authorization.k8s.io", "", "ClusterRoleBinding", "roleRef/name", false),
        ],
    ),
    (
        ("", "v1", "ServiceAccount", "", false),
        &[
            ("rbac.authorization.k8s.io", "", "RoleBinding", "subjects", false),
            ("rbac.authorization.k8s.io", "", "ClusterRoleBinding", "subjects", false),
        ],
    ),
    (("", "v1", "PersistentVolumeClaim", "", false), &[]),
    (
        ("", "v1", "PersistentVolume", "", false),
        &[
            ("", "", "PersistentVolumeClaim", "spec/volumeName", false),
            ("", "", "ClusterRole", "rules/resourceNames", false),
        ],
    ),
    (
        ("storage.k8s.io", "v1", "StorageClass", "", false),
        &[
            ("", "", "PersistentVolume", "spec/storageClassName", false),
            ("", "", "PersistentVolumeClaim", "spec/storageClassName", false),
            ("", "", "StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName", false),
        ],
    ),
    (("scheduling.k8s.io", "v1", "PriorityClass", "", false), &[]),
    // The group is written with its version in kustomize too, so that no IngressClass ever matches it.
    (
        ("networking.k8s.io/v1", "v1", "IngressClass", "", false),
        &[("", "", "Ingress", "spec/ingressClassName", false)],
    ),
    (
        ("admissionregistration.k8s.io", "", "ValidatingAdmissionPolicy", "", false),
        &[("admissionregistration.k8s.io", "", "ValidatingAdmissionPolicyBinding", "spec/policyName", false)],
    ),
];

/// Fields outside of containers that may hold `$(VAR)`.
const VARS: &[Row] = &[
    ("", "", "CronJob", "spec/jobTemplate/spec/template/volumes/nfs/server", false),
    ("", "", "DaemonSet", "spec/template/spec/volumes/nfs/server", false),
    ("", "", "Deployment", "spec/template/spec/volumes/nfs/server", false),
    ("", "", "Deployment", "spec/template/metadata/annotations", false),
    ("", "", "Ingress", "spec/rules/host", false),
    ("", "", "Ingress", "spec/tls/hosts", false),
    ("", "", "Ingress", "spec/tls/secretName", false),
    ("", "", "Job", "spec/template/spec/volumes/nfs/server", false),
    ("", "", "Pod", "spec/volumes/nfs/server", false),
    ("", "", "ReplicaSet", "spec/template/spec/volumes/nfs/server", false),
    ("", "", "Service", "spec/ports/port", false),
    ("", "", "Service", "spec/ports/targetPort", false),
    ("", "", "StatefulSet", "spec/volumeClaimTemplates/spec/nfs/server", false),
    ("", "", "PersistentVolume", "spec/nfs/server", false),
    ("", "", "", "metadata/labels", false),
    ("", "", "", "metadata/annotations", false),
];

fn gvk((group, version, kind, ..): Row) -> Gvk {
    Gvk { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
}

fn spec(row: Row) -> FieldSpec {
    FieldSpec { gvk: gvk(row), path: FieldPath::parse(row.3), create: row.4 }
}

fn specs(rows: &[Row]) -> Vec<FieldSpec> {
    rows.iter().copied().map(spec).collect()
}

/// `paths` inside the pod of every holder.
fn in_pods(holders: &[(&str, &str, &str)], paths: &[&str]) -> Vec<FieldSpec> {
    let mut out = Vec::with_capacity(holders.len() * paths.len());
    for &(kind, version, pod) in holders {
        for path in paths {
            out.push(FieldSpec {
                gvk: Gvk { group: String::new(), version: version.to_owned(), kind: kind.to_owned() },
                path: FieldPath::parse(&format!("{pod}/{path}")),
                create: false,
            });
        }
    }
    out
}

fn name_references() -> Vec<BackReference> {
    let mut all: Vec<BackReference> = ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
        .into_iter()
        .map(|kind| BackReference {
            target: gvk(("", "", kind, "", false)),
            referrers: specs(&[("", "", "HorizontalPodAutoscaler", "spec/scaleTargetRef/name", false)]),
        })
        .collect();
    for &(target, rows) in REFERENCES {
        let mut referrers = match target.2 {
            "ConfigMap" => in_pods(POD_HOLDERS, POD_CONFIG_MAPS),
            "Secret" => in_pods(POD_HOLDERS, POD_SECRETS),
            "ServiceAccount" => in_pods(LATER_POD_HOLDERS, &["serviceAccountName"]),
            "PersistentVolumeClaim" => {
                in_pods(LATER_POD_HOLDERS, &["volumes/persistentVolumeClaim/claimName"])
            }
            "PriorityClass" => in_pods(LATER_POD_HOLDERS, &["priorityClassName"]),
            _ => Vec::new(),
        };
        referrers.extend(specs(rows));
        all.push(BackReference { target: gvk(target), referrers });
    }
    all
}

/// The default configuration, in kustomize's order.
pub(super) fn config() -> Config {
    let mut selectors = specs(SELECTORS);
    for kind in ["Deployment", "StatefulSet"] {
        for path in POD_SELECTORS {
            selectors.push(FieldSpec {
                gvk: gvk(("apps", "", kind, "", false)),
                path: FieldPath::parse(&format!("spec/template/spec/{path}")),
                create: false,
            });
        }
    }
    selectors.extend(specs(TEMPLATE_LABELS));
    selectors.extend(specs(CLAIM_TEMPLATE_LABELS));
    let var_holders: Vec<_> = POD_HOLDERS
        .iter()
        .filter(|(kind, ..)| *kind != "PodTemplate")
        .map(|&(kind, _, pod)| (kind, "", pod))
        .collect();
    let mut vars = in_pods(&var_holders, POD_VARS);
    vars.extend(specs(VARS));
    let mut config = Config {
        name_prefix: specs(NAME),
        name_suffix: specs(NAME),
        namespace: specs(NAMESPACE),
        common_labels: selectors,
        labels: Vec::new(),
        template_labels: specs(TEMPLATE_LABELS),
        volume_claim_template_labels: specs(CLAIM_TEMPLATE_LABELS),
        common_annotations: specs(ANNOTATIONS),
        name_reference: name_references(),
        var_reference: vars,
        images: specs(IMAGES),
        replicas: specs(REPLICAS),
    };
    config.sort();
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_what_kustomize_covers() {
        let config = config();
        assert_eq!(config.common_labels.len(), 32);
        let referrers: usize = config.name_reference.iter().map(|back| back.referrers.len()).sum();
        assert_eq!(
            (config.name_reference.len(), referrers),
            (16, 4 + 52 + 69 + 8 + 1 + 2 + 9 + 7 + 2 + 3 + 7 + 1 + 1)
        );
        assert_eq!(config.var_reference.len(), 72);
        assert_eq!(config.name_reference.first().unwrap().target.kind, "StorageClass");
    }
}
