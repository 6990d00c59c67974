//! Objects: the kinds that kustomize knows something about, and some that it does not.

use super::scalars;
use super::style::{Node, map, raw, seq, text};
use oracle::Random;

/// Names that occur everywhere, so that references meet.
pub const NAMES: &[&str] = &["web", "api", "db", "cache", "web-config"];
/// Namespaces.
pub const NAMESPACES: &[&str] = &["default", "prod", "kube-system", "ns-1"];
/// Images, in every form of a reference.
pub const IMAGES: &[&str] = &[
    "nginx",
    "nginx:1.25",
    "example.com:5000/app:v1",
    "redis@sha256:24a0c4b4",
    "app:latest",
    "app:v1@sha256:24a0c4b4",
    "example.com/a/b/nginx:1",
];

/// What the objects of a case are, so that patches and the like find them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// API version, kind, name and namespace of each.
    pub objects: Vec<(String, String, String, String)>,
    /// Whether some come from a generator that adds hashes to their names.
    pub hashed: bool,
    /// Whether a patch may change kinds. A hash of anything but a ConfigMap or Secret is one of the tree in the memory of
    /// kustomize, with lines and comments.
    pub changes_kinds: std::cell::Cell<bool>,
}

impl Known {
    /// One of the objects, now and then another kind or name.
    pub fn pick(&self, random: &mut Random) -> (String, String, String, String) {
        let at = random.below(self.objects.len());
        match self.objects.get(at) {
            Some(found) if !random.one_in(60) => found.clone(),
            _ => ("apps/v1".into(), "Deployment".into(), random.pick(NAMES).into(), String::new()),
        }
    }

    /// One of the objects of a kind, if there is one.
    pub fn of_kind(&self, random: &mut Random, kind: &str) -> Option<(String, String, String, String)> {
        let found: Vec<_> = self.objects.iter().filter(|object| object.1 == kind).collect();
        found.get(random.below(found.len())).map(|object| (*object).clone())
    }
}

fn metadata(random: &mut Random, known: &mut Known, api: &str, kind: &str, namespaced: bool) -> Node {
    let mut namespace = String::new();
    if namespaced && random.one_in(3) {
        namespace = random.pick(NAMESPACES).to_owned();
    }
    let mut name = random.pick(NAMES).to_owned();
    let taken = |name: &str| {
        let same = |object: &&(String, String, String, String)| object.1 == kind && object.2 == name;
        known.objects.iter().find(same).is_some()
    };
    if taken(&name) && !random.one_in(15) {
        name = format!("{name}-{}", known.objects.len());
    }
    known.objects.push((api.to_owned(), kind.to_owned(), name.clone(), namespace.clone()));
    let mut node = map([("name", text(name.as_str()))]);
    if !namespace.is_empty() {
        node = node.with("namespace", text(namespace));
    }
    if random.one_in(3) {
        let mut labels = map([("app", text(name))]);
        if random.one_in(4) {
            labels = labels.with(random.pick(&["tier", "example.com/x"]), labelled(random));
        }
        node = node.with("labels", labels);
    }
    if random.one_in(4) {
        let mut annotations = map([("note", labelled(random))]);
        if random.one_in(6) {
            annotations = annotations.with("long", scalars::string(random));
        }
        if random.one_in(30) {
            annotations = annotations.with("config.kubernetes.io/local-config", text("true"));
        }
        if random.one_in(20) {
            let mark = "kustomize.config.k8s.io/needs-hash";
            annotations = annotations.with(mark, text("true"));
        }
        node = node.with("annotations", annotations);
    }
    if random.one_in(20) {
        node = node.with("creationTimestamp", raw("null"));
    }
    node
}

/// Strings, as the API wants them for labels and annotations, and what it refuses.
fn labelled(random: &mut Random) -> Node {
    if random.one_in(8) {
        return raw(random.pick(&["1", "true", "null", "1.5", "", "yes", "017", "1e3"]));
    }
    raw(random.pick(&["a", "\"1\"", "\"true\"", "x y", "'c: d'", "'017'", "\"\"", "\"1.0\""]))
}

/// A container.
pub fn container(random: &mut Random, name: &str) -> Node {
    let mut node = map([("name", text(name))]);
    if !random.one_in(12) {
        node = node.with("image", text(random.pick(IMAGES)));
    }
    if random.one_in(2) {
        let mut ports = Vec::new();
        for at in 0..1 + random.below(2) {
            let mut port = map([("containerPort", raw(format!("80{at}")))]);
            if random.one_in(3) {
                port = port.with("protocol", text(random.pick(&["TCP", "UDP"])));
            }
            if random.one_in(3) {
                port = port.with("name", text(random.pick(&["http", "metrics"])));
            }
            ports.push(port);
        }
        node = node.with("ports", seq(ports));
    }
    if random.one_in(2) {
        let mut env = vec![map([("name", text("A")), ("value", scalars::any(random))])];
        if random.one_in(2) {
            let kind = random.pick(&["configMapKeyRef", "secretKeyRef"]);
            let reference = map([("name", text(random.pick(NAMES))), ("key", text("k"))]);
            env.push(map([("name", text("B")), ("valueFrom", map([(kind, reference)]))]));
        }
        if random.one_in(4) {
            env.push(map([("name", text("C")), ("value", text("$(VAR)-$(OTHER) $$(VAR)"))]));
        }
        node = node.with("env", seq(env));
    }
    if random.one_in(4) {
        let kind = random.pick(&["configMapRef", "secretRef"]);
        let from = map([(kind, map([("name", text(random.pick(NAMES)))]))]);
        node = node.with("envFrom", seq([from]));
    }
    if random.one_in(4) {
        node = node.with("args", seq([text("a"), text("--b"), text("$(VAR)"), scalars::any(random)]));
    }
    if random.one_in(4) {
        let mount = map([("name", text("v")), ("mountPath", text("/data"))]);
        node = node.with("volumeMounts", seq([mount]));
    }
    if random.one_in(5) {
        node = node.with(
            "resources",
            map([(
                "limits",
                map([("cpu", raw(random.pick(&["1", "100m", "0.5", "\"2\""]))), ("memory", text("1Gi"))]),
            )]),
        );
    }
    node
}

fn pod_spec(random: &mut Random) -> Node {
    let mut containers = vec![container(random, "main")];
    if random.one_in(3) {
        containers.push(container(random, "side"));
    }
    let mut spec = map([("containers", seq(containers))]);
    if random.one_in(5) {
        spec = spec.with("initContainers", seq([container(random, "init")]));
    }
    if random.one_in(3) {
        let name = text(random.pick(NAMES));
        let volume = match random.below(4) {
            0 => ("configMap", map([("name", name)])),
            1 => ("secret", map([("secretName", name)])),
            2 => ("persistentVolumeClaim", map([("claimName", name)])),
            _ => {
                let source = map([("configMap", map([("name", name)]))]);
                ("projected", map([("sources", seq([source]))]))
            }
        };
        spec = spec.with("volumes", seq([map([("name", text("v")), volume])]));
    }
    if random.one_in(4) {
        spec = spec.with("serviceAccountName", text(random.pick(NAMES)));
    }
    if random.one_in(8) {
        spec = spec.with("imagePullSecrets", seq([map([("name", text(random.pick(NAMES)))])]));
    }
    if random.one_in(8) {
        let toleration =
            map([("key", text("k")), ("operator", text("Exists")), ("effect", text("NoSchedule"))]);
        spec = spec.with("tolerations", seq([toleration]));
    }
    if random.one_in(10) {
        spec = spec.with("priorityClassName", text(random.pick(NAMES)));
    }
    if random.one_in(12) {
        let term = map([
            ("labelSelector", map([("matchLabels", map([("app", text("web"))]))])),
            ("topologyKey", text("zone")),
        ]);
        let anti = map([("requiredDuringSchedulingIgnoredDuringExecution", seq([term]))]);
        spec = spec.with("affinity", map([("podAntiAffinity", anti)]));
    }
    spec
}

fn template(random: &mut Random, name: &str) -> Node {
    let mut node = Node::Map(Vec::new());
    if !random.one_in(5) {
        let mut metadata = map([("labels", map([("app", text(name))]))]);
        if random.one_in(6) {
            metadata = metadata.with("annotations", map([("t", labelled(random))]));
        }
        node = node.with("metadata", metadata);
    }
    node.with("spec", pod_spec(random))
}

/// A file of objects.
pub fn documents(random: &mut Random, known: &mut Known) -> Vec<Node> {
    let count = 1 + random.below(3);
    let mut objects: Vec<Node> = (0..count).map(|_| object(random, known)).collect();
    if random.one_in(15) {
        let items = std::mem::take(&mut objects);
        let kind = random.pick(&["List", "List", "ConfigMapList", "ThingList"]);
        objects.push(map([("apiVersion", text("v1")), ("kind", text(kind)), ("items", seq(items))]));
    }
    if random.one_in(30) {
        objects.push(Node::Map(Vec::new()));
    }
    objects
}

/// One object.
pub fn object(random: &mut Random, known: &mut Known) -> Node {
    let (api, kind, namespaced) = KINDS.get(random.below(KINDS.len())).copied().expect("there is a kind");
    let metadata = metadata(random, known, api, kind, namespaced);
    let name = known.objects.last().map(|object| object.2.clone()).unwrap_or_default();
    let node = map([("apiVersion", text(api)), ("kind", text(kind)), ("metadata", metadata)]);
    let reference = |random: &mut Random| text(random.pick(NAMES));
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => {
            let mut spec = Node::Map(Vec::new());
            if kind != "DaemonSet" && random.one_in(2) {
                spec = spec.with("replicas", raw("2"));
            }
            if !random.one_in(8) {
                spec = spec.with("selector", map([("matchLabels", map([("app", text(name.as_str()))]))]));
            }
            if kind == "StatefulSet" {
                spec = spec.with("serviceName", reference(random));
                if random.one_in(2) {
                    let claim = map([
                        ("metadata", map([("name", text("data"))])),
                        ("spec", map([("storageClassName", reference(random))])),
                    ]);
                    spec = spec.with("volumeClaimTemplates", seq([claim]));
                }
            }
            node.with("spec", spec.with("template", template(random, &name)))
        }
        "Pod" => node.with("spec", pod_spec(random)),
        "Job" => node.with("spec", map([("template", template(random, &name))])),
        "CronJob" => {
            let job = map([("spec", map([("template", template(random, &name))]))]);
            node.with("spec", map([("schedule", text("*/5 * * * *")), ("jobTemplate", job)]))
        }
        "Service" => {
            let port =
                map([("port", raw("80")), ("targetPort", raw(random.pick(&["80", "http", "\"80\""])))]);
            let mut ports = vec![port];
            if random.one_in(3) {
                ports.push(map([("port", raw("53")), ("protocol", text("UDP")), ("name", text("dns"))]));
            }
            let mut spec = map([("ports", seq(ports))]);
            if !random.one_in(6) {
                spec = spec.with("selector", map([("app", text(name.as_str()))]));
            }
            if random.one_in(6) {
                spec = spec.with("type", text("LoadBalancer")).with("loadBalancerIP", scalars::any(random));
            }
            node.with("spec", spec)
        }
        "ConfigMap" => {
            let mut data = Node::Map(Vec::new());
            let odd = if random.one_in(20) { "<<" } else { "_x" };
            for key in ["k", "a10", "a2", "app.yaml", "Z", odd].iter().take(1 + random.below(6)) {
                let value = match (random.below(4), *key) {
                    (_, "app.yaml") => text(random.pick(&[
                        "a: b\nc: 1\n",
                        "{\"a\": \"b\"}",
                        "a: b\nd:\n- x\n- w\n",
                        "# c\na: b # d\n",
                        "a:\n  b: \"x\" # why\n  l:\n  - 1\n  - 2\n\nc: |\n  t\n  u\n",
                        "a:\n    b: 'c'\n    d:\n        - e: f\n        - g: h\n",
                    ])),
                    (0, _) => scalars::string(random),
                    _ => scalars::any(random),
                };
                data = data.with(key, value);
            }
            let node = node.with("data", data);
            if random.one_in(8) { node.with("immutable", raw("true")) } else { node }
        }
        "Secret" => {
            let node = node.with("type", text("Opaque")).with("data", map([("k", text("YQ=="))]));
            if random.one_in(3) {
                node.with("stringData", map([("s", scalars::string(random))]))
            } else {
                node
            }
        }
        "Ingress" => {
            let backend = map([(
                "service",
                map([("name", reference(random)), ("port", map([("number", raw("80"))]))]),
            )]);
            let path = map([("path", text("/")), ("pathType", text("Prefix")), ("backend", backend)]);
            let host = text(random.pick(&["example.com", "$(VAR).example.com", "a.b"]));
            let rule = map([("host", host), ("http", map([("paths", seq([path]))]))]);
            let mut spec = map([("rules", seq([rule]))]);
            if random.one_in(3) {
                let tls = map([("hosts", seq([text("example.com")])), ("secretName", reference(random))]);
                spec = spec.with("tls", seq([tls]));
            }
            node.with("spec", spec)
        }
        "RoleBinding" | "ClusterRoleBinding" => {
            let role = map([
                ("apiGroup", text("rbac.authorization.k8s.io")),
                ("kind", text(random.pick(&["Role", "ClusterRole"]))),
                ("name", reference(random)),
            ]);
            let mut subjects = Vec::new();
            for _ in 0..1 + random.below(2) {
                let mut subject = map([
                    ("kind", text(random.pick(&["ServiceAccount", "ServiceAccount", "User", "Group"]))),
                    ("name", text(random.pick(&["default", "web", "api"]))),
                ]);
                if random.one_in(2) {
                    subject = subject.with("namespace", text(random.pick(NAMESPACES)));
                }
                subjects.push(subject);
            }
            node.with("roleRef", role).with("subjects", seq(subjects))
        }
        "Role" | "ClusterRole" => {
            let mut rule = map([("apiGroups", seq([raw("\"\"")])), ("resources", seq([text("secrets")]))]);
            if random.one_in(2) {
                rule = rule.with("resourceNames", seq([reference(random), reference(random)]));
            }
            let node = node.with("rules", seq([rule.with("verbs", seq([text("get")]))]));
            if kind == "ClusterRole" && random.one_in(4) {
                let selector = map([("matchLabels", map([("app", text("web"))]))]);
                node.with("aggregationRule", map([("clusterRoleSelectors", seq([selector]))]))
            } else {
                node
            }
        }
        "PersistentVolumeClaim" => node
            .with("spec", map([("storageClassName", reference(random)), ("volumeName", reference(random))])),
        "PersistentVolume" => {
            let claim = map([("name", reference(random)), ("namespace", text(random.pick(NAMESPACES)))]);
            node.with("spec", map([("claimRef", claim)]))
        }
        "HorizontalPodAutoscaler" => {
            let target = map([
                ("apiVersion", text("apps/v1")),
                ("kind", text(random.pick(&["Deployment", "StatefulSet"]))),
                ("name", reference(random)),
            ]);
            node.with("spec", map([("scaleTargetRef", target), ("maxReplicas", raw("3"))]))
        }
        "NetworkPolicy" => {
            let selector = map([("matchLabels", map([("app", text("web"))]))]);
            let from = map([("podSelector", selector.clone())]);
            let ingress = seq([map([("from", seq([from]))])]);
            node.with("spec", map([("podSelector", selector), ("ingress", ingress)]))
        }
        "PodDisruptionBudget" => {
            let selector = map([("matchLabels", map([("app", text("web"))]))]);
            node.with("spec", map([("minAvailable", raw("1")), ("selector", selector)]))
        }
        "CustomResourceDefinition" => {
            let names = map([("kind", text("Thing")), ("plural", text("things"))]);
            let mut spec = map([("group", text("example.com")), ("names", names)]);
            if random.one_in(2) {
                let service =
                    map([("name", reference(random)), ("namespace", text(random.pick(NAMESPACES)))]);
                let webhook = map([("clientConfig", map([("service", service)]))]);
                spec = spec.with("conversion", map([("strategy", text("Webhook")), ("webhook", webhook)]));
            }
            node.with("spec", spec)
        }
        "APIService" => {
            let service = map([("name", reference(random)), ("namespace", text(random.pick(NAMESPACES)))]);
            node.with("spec", map([("service", service), ("group", text("x"))]))
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            let service = map([("name", reference(random)), ("namespace", text(random.pick(NAMESPACES)))]);
            let hook = map([("name", text("a.b.c")), ("clientConfig", map([("service", service)]))]);
            node.with("webhooks", seq([hook]))
        }
        "Thing" => {
            let items = seq([
                map([("name", text("x")), ("v", raw("1"))]),
                map([("name", text("y"))]),
                map([("name", text("x")), ("image", text(random.pick(IMAGES)))]),
            ]);
            let mut spec = map([("value", scalars::any(random)), ("list", items)]);
            if random.one_in(2) {
                spec = spec
                    .with("empty", Node::Map(Vec::new()))
                    .with("none", raw("null"))
                    .with("blank", raw(""));
            }
            if random.one_in(3) {
                spec = spec.with("plain", seq([text("p"), text("q"), scalars::any(random)]));
            }
            if random.one_in(4) {
                spec = spec.with("template", template(random, "x"));
            }
            if random.one_in(4) {
                spec = spec.with("ref", map([("name", reference(random)), ("kind", text("ConfigMap"))]));
            }
            node.with("spec", spec)
        }
        _ => node,
    }
}

/// API version, kind, and whether objects have a namespace. Frequent ones stand more than once.
const KINDS: &[(&str, &str, bool)] = &[
    ("apps/v1", "Deployment", true),
    ("apps/v1", "Deployment", true),
    ("apps/v1", "Deployment", true),
    ("apps/v1", "Deployment", true),
    ("apps/v1", "StatefulSet", true),
    ("apps/v1", "StatefulSet", true),
    ("apps/v1", "DaemonSet", true),
    ("apps/v1", "ReplicaSet", true),
    ("v1", "Pod", true),
    ("batch/v1", "Job", true),
    ("batch/v1", "CronJob", true),
    ("v1", "Service", true),
    ("v1", "Service", true),
    ("v1", "Service", true),
    ("v1", "ConfigMap", true),
    ("v1", "ConfigMap", true),
    ("v1", "ConfigMap", true),
    ("v1", "ConfigMap", true),
    ("v1", "Secret", true),
    ("v1", "Secret", true),
    ("networking.k8s.io/v1", "Ingress", true),
    ("v1", "ServiceAccount", true),
    ("rbac.authorization.k8s.io/v1", "Role", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", false),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", false),
    ("v1", "Namespace", false),
    ("v1", "PersistentVolumeClaim", true),
    ("v1", "PersistentVolume", false),
    ("autoscaling/v2", "HorizontalPodAutoscaler", true),
    ("networking.k8s.io/v1", "NetworkPolicy", true),
    ("policy/v1", "PodDisruptionBudget", true),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", false),
    ("apiregistration.k8s.io/v1", "APIService", false),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", false),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", false),
    ("storage.k8s.io/v1", "StorageClass", false),
    ("scheduling.k8s.io/v1", "PriorityClass", false),
    ("example.com/v1", "Thing", true),
    ("example.com/v1", "Thing", true),
    ("example.com/v1beta1", "Other", true),
];
