use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Brings an object into the form in which it is applied, as Flux's typed round trip does:
///
/// - a Secret's `stringData` merges into `data` (`stringData` wins) and goes away;
/// - ports without a protocol get `TCP`, in Services and in `containers` (not `initContainers`) of Pods and of the
///   built-in workloads' pod templates;
/// - `status` goes away, except of a CustomResourceDefinition;
/// - `metadata.creationTimestamp` goes away.
///
/// Unknown fields of built-in kinds are another step: it needs a schema (see the `schema` crate).
pub fn normalise(object: &mut Value) {
    let api_version = text(object, "apiVersion");
    let kind = text(object, "kind");
    let Some(map) = object.as_object_mut() else {
        return;
    };
    if !(kind == "CustomResourceDefinition" && api_version.starts_with("apiextensions.k8s.io/")) {
        map.remove("status");
    }
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
    }
    match (api_version.as_str(), kind.as_str()) {
        ("v1", "Secret") => merge_string_data(map),
        ("v1", "Service") => default_protocols(map.get_mut("spec").and_then(|s| s.get_mut("ports"))),
        ("v1", "Pod") => default_pod(map.get_mut("spec")),
        ("apps/v1", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch/v1", "Job") => {
            default_template(map.get_mut("spec"))
        }
        ("batch/v1", "CronJob") => default_template(
            map.get_mut("spec").and_then(|s| s.get_mut("jobTemplate")).and_then(|j| j.get_mut("spec")),
        ),
        _ => {}
    }
}

fn text(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Left alone when a value is not a string: the API server then names the field, which is the better message.
fn merge_string_data(secret: &mut Map<String, Value>) {
    let strings = match secret.get("stringData") {
        Some(Value::Object(strings)) if strings.values().all(Value::is_string) => strings.clone(),
        Some(Value::Null) => Map::new(),
        _ => return,
    };
    let data = secret.entry("data").or_insert(Value::Null);
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    let Some(data) = data.as_object_mut() else {
        return;
    };
    for (key, value) in &strings {
        let plain = value.as_str().unwrap_or_default();
        data.insert(key.clone(), Value::String(STANDARD.encode(plain)));
    }
    if data.is_empty() {
        secret.remove("data");
    }
    secret.remove("stringData");
}

fn default_template(spec: Option<&mut Value>) {
    default_pod(spec.and_then(|s| s.get_mut("template")).and_then(|t| t.get_mut("spec")));
}

fn default_pod(spec: Option<&mut Value>) {
    let containers = spec.and_then(|s| s.get_mut("containers")).and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        default_protocols(container.get_mut("ports"));
    }
}

fn default_protocols(ports: Option<&mut Value>) {
    let ports = ports.and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        let protocol = port.entry("protocol").or_insert(Value::Null);
        if protocol.is_null() || protocol == "" {
            *protocol = Value::String("TCP".to_owned());
        }
    }
}

/// Removes `spec.conversion.webhook.clientConfig.caBundle` of a CustomResourceDefinition unless it holds PEM
/// certificates: API servers refuse placeholders, and whoever injects the real bundle must own the field alone.
/// Returns whether something was removed.
pub fn drop_invalid_ca_bundle(object: &mut Value) -> bool {
    if text(object, "kind") != "CustomResourceDefinition" {
        return false;
    }
    let Some(config) =
        object.pointer_mut("/spec/conversion/webhook/clientConfig").and_then(Value::as_object_mut)
    else {
        return false;
    };
    match config.get("caBundle") {
        None => false,
        Some(Value::String(bundle)) if holds_certificates(bundle) => false,
        Some(_) => config.remove("caBundle").is_some(),
    }
}

fn holds_certificates(bundle: &str) -> bool {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let Some(pem) = STANDARD.decode(bundle.trim()).ok().and_then(|b| String::from_utf8(b).ok()) else {
        return false;
    };
    let mut blocks = pem.split(BEGIN).skip(1).peekable();
    blocks.peek().is_some()
        && blocks.all(|block| {
            let body: String = block.split(END).next().unwrap_or_default().split_whitespace().collect();
            block.contains(END) && STANDARD.decode(body).is_ok_and(|der| is_one_sequence(&der))
        })
}

/// A certificate is one DER SEQUENCE (tag 0x30) that spans all its bytes.
fn is_one_sequence(der: &[u8]) -> bool {
    match der {
        [0x30, length, body @ ..] if *length < 0x80 => body.len() == usize::from(*length) && !body.is_empty(),
        [0x30, length, rest @ ..] => {
            let octets = usize::from(length & 0x7f);
            if octets == 0 || octets > 4 || rest.len() < octets {
                return false;
            }
            let (size, body) = rest.split_at(octets);
            let size = size.iter().fold(0_usize, |n, b| (n << 8) | usize::from(*b));
            body.len() == size
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn normalised(mut object: Value) -> Value {
        normalise(&mut object);
        object
    }

    #[test]
    fn string_data_wins_and_vanishes() {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": "x", "b": "y"}, "data": {"a": "b2xk", "c": "Yw=="}});
        assert_eq!(
            normalised(secret),
            json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "eA==", "b": "eQ==", "c": "Yw=="}})
        );
        let wrong = json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": 1}});
        assert_eq!(normalised(wrong.clone()), wrong);
    }

    #[test]
    fn protocols_default_to_tcp() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}, {"port": 53, "protocol": "UDP"}]}});
        assert_eq!(
            normalised(service)["spec"]["ports"],
            json!([{"port": 80, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}])
        );
        let pod = json!({"containers": [{"ports": [{"containerPort": 1}]}], "initContainers": [{"ports": [{"containerPort": 2}]}]});
        let expected = json!({"containers": [{"ports": [{"containerPort": 1, "protocol": "TCP"}]}], "initContainers": [{"ports": [{"containerPort": 2}]}]});
        let deployment =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {"spec": pod}}});
        assert_eq!(normalised(deployment)["spec"]["template"]["spec"], expected);
        let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}});
        assert_eq!(normalised(cron)["spec"]["jobTemplate"]["spec"]["template"]["spec"], expected);
        let custom =
            json!({"apiVersion": "example.com/v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}});
        assert_eq!(normalised(custom.clone()), custom);
    }

    #[test]
    fn status_and_creation_time_vanish_except_of_crds() {
        let custom = json!({"apiVersion": "example.com/v1", "kind": "X", "metadata": {"name": "a", "creationTimestamp": null}, "status": {}});
        assert_eq!(
            normalised(custom),
            json!({"apiVersion": "example.com/v1", "kind": "X", "metadata": {"name": "a"}})
        );
        let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "status": {"a": 1}});
        assert_eq!(normalised(crd.clone()), crd);
    }

    #[test]
    fn ca_bundles() {
        let der = STANDARD.encode([0x30_u8, 3, 1, 2, 3]);
        let good =
            STANDARD.encode(format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n"));
        let table = [
            (json!("Cg=="), true),
            (json!(""), true),
            (json!("not base64!"), true),
            (json!(STANDARD.encode("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")), true),
            (json!(good), false),
        ];
        for (bundle, removed) in table {
            let mut crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": bundle, "service": {}}}}}});
            assert_eq!(drop_invalid_ca_bundle(&mut crd), removed, "{bundle}");
            let left = crd.pointer("/spec/conversion/webhook/clientConfig/caBundle");
            assert_eq!(left.is_none(), removed);
        }
    }
}
