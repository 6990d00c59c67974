//! Patches: strategic merge and JSON 6902, inline and in files, in every field that takes them.

use super::resources::{IMAGES, Known, NAMES, container};
use super::scalars;
use super::style::{Node, Style, map, raw, seq, text};
use oracle::Random;

/// A selector of objects.
pub fn selector(random: &mut Random, known: &Known) -> Node {
    let object = known.pick(random);
    selector_of(random, object)
}

/// A selector of an object, and maybe of more.
pub fn selector_of(random: &mut Random, object: (String, String, String, String)) -> Node {
    let (api, kind, name, namespace) = object;
    let (group, version) = api.split_once('/').unwrap_or(("", &api));
    let mut node = Node::Map(Vec::new());
    if random.one_in(4) && !group.is_empty() {
        node = node.with("group", text(group));
    }
    if random.one_in(5) {
        node = node.with("version", text(version));
    }
    if !random.one_in(5) {
        let kind = if random.one_in(10) { "Deploy.*|StatefulSet".to_owned() } else { kind };
        node = node.with("kind", text(kind));
    }
    if random.one_in(2) {
        let name = match random.below(6) {
            0 => format!("{}.*", name.get(..1).unwrap_or_default()),
            1 => ".*".to_owned(),
            2 => format!("({name}|db)"),
            _ => name,
        };
        node = node.with("name", text(name));
    }
    if random.one_in(8) && !namespace.is_empty() {
        node = node.with("namespace", text(namespace));
    }
    if random.one_in(8) {
        let selector = random.pick(&[
            "app=web",
            "app in (web, api)",
            "app",
            "!app",
            "app!=web",
            "tier notin (a)",
            "app==db",
        ]);
        node = node.with("labelSelector", text(selector));
    }
    if random.one_in(12) {
        node = node.with("annotationSelector", text(random.pick(&["note=a", "note", "!note"])));
    }
    node
}

/// What a strategic merge patch says about an object of this kind.
fn body(random: &mut Random, kind: &str) -> Node {
    let containers = |list: Vec<Node>| {
        let spec = map([("containers", seq(list))]);
        map([("spec", map([("template", map([("spec", spec)]))]))])
    };
    let pod = |spec: Node| map([("spec", map([("template", map([("spec", spec)]))]))]);
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => match random.below(22) {
            0 => map([("spec", map([("replicas", raw("7"))]))]),
            1 => containers(vec![map([
                ("name", text("main")),
                ("env", seq([map([("name", text("NEW")), ("value", scalars::any(random))])])),
            ])]),
            2 => containers(vec![map([
                ("name", text("main")),
                (
                    "env",
                    seq([
                        map([("name", text("A")), ("$patch", text("delete"))]),
                        map([("name", text("Z")), ("value", text("z"))]),
                    ]),
                ),
            ])]),
            3 => containers(vec![
                map([("name", text("added")), ("image", text("busybox"))]),
                map([
                    ("name", text("main")),
                    (
                        "ports",
                        seq([map([
                            ("containerPort", raw("800")),
                            ("protocol", text("TCP")),
                            ("name", text("x")),
                        ])]),
                    ),
                ]),
            ]),
            4 => containers(vec![map([("name", text("main")), ("$patch", text("delete"))])]),
            5 => containers(vec![map([("$patch", text("replace"))]), container(random, "only")]),
            6 => map([("spec", map([("$patch", text("replace")), ("replicas", raw("1"))]))]),
            7 => pod(map([(
                "volumes",
                seq([map([
                    ("name", text("v")),
                    ("emptyDir", Node::Map(Vec::new())),
                    ("configMap", raw("null")),
                ])]),
            )])),
            8 => pod(map([(
                "volumes",
                seq([map([
                    ("name", text("v")),
                    ("$retainKeys", seq([text("name"), text("emptyDir")])),
                    ("emptyDir", Node::Map(Vec::new())),
                ])]),
            )])),
            9 => map([("spec", map([("replicas", raw("null")), ("selector", Node::Map(Vec::new()))]))]),
            10 => map([("$patch", text("delete"))]),
            11 => pod(map([(
                "$setElementOrder/containers",
                seq([map([("name", text("side"))]), map([("name", text("main"))])]),
            )])),
            12 => pod(map([("$deleteFromPrimitiveList/finalizers", seq([text("a")]))])),
            13 => map([(
                "metadata",
                map([
                    ("labels", map([("patched", raw("\"1\""))])),
                    ("annotations", map([("note", raw("null")), ("p", scalars::string(random))])),
                ]),
            )]),
            14 => map([("spec", map([("template", raw("null"))]))]),
            15 => pod(map([("tolerations", seq([map([("key", text("n")), ("operator", text("Exists"))])]))])),
            16 => pod(map([("initContainers", seq([container(random, "init")]))])),
            17 => containers(vec![map([
                ("name", text("main")),
                ("image", text(random.pick(IMAGES))),
                ("args", seq([text("x")])),
            ])]),
            18 => containers(vec![map([
                ("name", text("main")),
                ("ports", seq([map([("containerPort", raw("800")), ("$patch", text("delete"))])])),
            ])]),
            19 => map([("metadata", map([("finalizers", seq([text("a"), text("b")]))]))]),
            20 => pod(map([
                ("nodeSelector", map([("a", text("b"))])),
                ("hostAliases", seq([map([("ip", raw("1.2.3.4")), ("hostnames", seq([text("h")]))])])),
            ])),
            _ => containers(vec![container(random, "main"), container(random, "side")]),
        },
        "Service" => match random.below(4) {
            0 => map([("spec", map([("ports", seq([map([("port", raw("80")), ("name", text("http"))])]))]))]),
            1 => map([(
                "spec",
                map([(
                    "ports",
                    seq([map([("port", raw("80")), ("protocol", text("TCP")), ("$patch", text("delete"))])]),
                )]),
            )]),
            2 => map([("spec", map([("type", text("NodePort")), ("selector", map([("x", text("y"))]))]))]),
            _ => map([(
                "spec",
                map([(
                    "ports",
                    seq([map([("port", raw("53")), ("protocol", text("UDP"))]), map([("port", raw("443"))])]),
                )]),
            )]),
        },
        "ConfigMap" | "Secret" => match random.below(7) {
            0 => map([("data", map([("new", scalars::any(random))]))]),
            1 => map([("data", map([("k", raw("null"))]))]),
            2 => map([("data", raw("null"))]),
            3 => map([("data", map([("k", scalars::string(random)), ("a2", raw("null"))]))]),
            4 => map([("$patch", text("delete"))]),
            5 => map([("data", map([("$patch", text("replace")), ("only", text("x"))]))]),
            _ => map([
                ("data", map([("k", scalars::any(random)), ("z", text("z"))])),
                ("immutable", raw("true")),
            ]),
        },
        "Ingress" => map([(
            "spec",
            map([
                ("rules", seq([map([("host", text("patched.example.com"))])])),
                ("ingressClassName", text("x")),
            ]),
        )]),
        "RoleBinding" | "ClusterRoleBinding" => {
            map([("subjects", seq([map([("kind", text("User")), ("name", text("u"))])]))])
        }
        "ServiceAccount" => map([
            ("secrets", seq([map([("name", text("s"))])])),
            ("imagePullSecrets", seq([map([("name", text("web"))])])),
        ]),
        _ => match random.below(9) {
            0 => map([("spec", map([("list", seq([map([("name", text("q"))])]))]))]),
            1 => map([("spec", map([("value", raw("null")), ("other", raw("017"))]))]),
            2 => {
                map([("spec", map([("empty", raw("null")), ("deep", map([("er", Node::Map(Vec::new()))]))]))])
            }
            3 => map([("spec", raw("null"))]),
            4 => map([("spec", map([("plain", seq([text("r")])), ("value", scalars::any(random))]))]),
            5 => map([(
                "spec",
                map([("list", seq([map([("$patch", text("delete")), ("name", text("x"))])]))]),
            )]),
            6 => map([("spec", map([("$patch", text("merge")), ("value", text("m"))]))]),
            7 => map([(
                "metadata",
                map([("labels", raw("null")), ("annotations", map([("n", scalars::string(random))]))]),
            )]),
            _ => map([
                ("spec", map([("none", text("some")), ("blank", Node::Map(Vec::new()))])),
                ("extra", Node::Seq(Vec::new())),
            ]),
        },
    }
}

/// A strategic merge patch of an object that is there, mostly.
fn strategic(random: &mut Random, known: &Known) -> (Node, String) {
    let (api, kind, name, namespace) = known.pick(random);
    let mut metadata = map([("name", text(name))]);
    if !namespace.is_empty() && !random.one_in(8) {
        metadata = metadata.with("namespace", text(namespace));
    }
    let node = map([("apiVersion", text(api)), ("kind", text(kind.as_str()))]);
    let body = body(random, &kind);
    let Node::Map(fields) = body else { return (node, kind) };
    let mut node = node.with("metadata", metadata);
    for (field, value) in fields {
        match (field.as_str(), &mut node) {
            ("metadata", Node::Map(entries)) => {
                if let (Some((_, Node::Map(own))), Node::Map(more)) = (entries.last_mut(), value) {
                    own.extend(more);
                }
            }
            _ => node = node.with(&field, value),
        }
    }
    (node, kind)
}

/// JSON patch operations that an object of this kind takes, mostly.
fn operations(random: &mut Random, kind: &str) -> Node {
    let count = 1 + random.below(2);
    seq((0..count).map(|_| operation(random, kind)))
}

fn operation(random: &mut Random, kind: &str) -> Node {
    let op = |name: &str, path: &str| map([("op", text(name)), ("path", text(path))]);
    let kind = if random.one_in(12) { "Thing" } else { kind };
    match (kind, random.below(10)) {
        (_, 0) => op("add", "/metadata/annotations").with("value", map([("x", text("y"))])),
        (_, 1) => op("replace", "/metadata/name").with("value", text("renamed")),
        (_, 2) => {
            op("add", "/metadata/labels").with("value", map([("t", raw("\"1\"")), ("app", text("web"))]))
        }
        (_, 3) => {
            map([("op", text("copy")), ("from", text("/metadata/name")), ("path", text("/metadata/copied"))])
        }
        ("Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job", choice) => match choice {
            4 => op("add", "/spec/template/spec/containers/0/env")
                .with("value", seq([map([("name", text("J")), ("value", scalars::any(random))])])),
            5 => op("add", "/spec/template/spec/containers/0").with("value", map([("name", text("first"))])),
            6 => op("add", "/spec/template/spec/containers/0/image").with("value", text("patched:1")),
            7 => op("add", "/spec/template/spec/containers/-").with("value", map([("name", text("last"))])),
            8 => op("remove", "/spec/template/spec/containers/1"),
            _ => op("add", "/spec/replicas").with("value", raw(random.pick(&["3", "\"3\"", "3.0"]))),
        },
        ("ConfigMap" | "Secret", choice) => match choice {
            4 => map([("op", text("move")), ("from", text("/data/k")), ("path", text("/data/moved"))]),
            5 => op("replace", "/data/k").with("value", scalars::any(random)),
            6 => op("remove", "/data/k"),
            7 => op("test", "/metadata/name").with("value", text(random.pick(NAMES))),
            _ => op("add", random.pick(&["/data/k", "/data/a~1b", "/data/a~0b", "/data/"]))
                .with("value", scalars::any(random)),
        },
        ("Service", choice) => match choice {
            4 | 5 => op("replace", "/spec/ports/0/port").with("value", raw("8080")),
            6 => op("add", "/spec/ports/-").with("value", map([("port", raw("81"))])),
            _ => op("add", "/spec/type").with("value", text("NodePort")),
        },
        (_, 4) => op("add", "/spec/list/-").with("value", map([("name", text("z"))])),
        (_, 5) => op("add", "/spec/list/0").with("value", map([("name", text("w")), ("v", raw("1.0"))])),
        (_, 6) => op("replace", "/spec/list/1").with("value", scalars::any(random)),
        (_, 7) => op("add", "/spec").with("value", map([("a", map([("b", raw("1e3"))]))])),
        (_, 8) => {
            let items = seq([raw("1"), raw("\"2\""), raw("1.5"), raw("true"), raw("null"), raw("1e30")]);
            op("add", "/added").with("value", items)
        }
        _ => op("add", "/spec/value").with("value", scalars::any(random)),
    }
}

/// Text of a patch, written in YAML or, for operations, also in JSON.
fn written(random: &mut Random, node: &Node) -> String {
    let mut style = Style::new(random);
    let mut out = style.document(random, node);
    if random.one_in(20) {
        out = format!("---\n{out}");
    }
    if random.one_in(3) {
        out.truncate(out.trim_end_matches('\n').len());
    }
    out
}

/// `patches`.
pub fn patches(random: &mut Random, dir: &str, known: &Known, files: &mut Vec<(String, String)>) -> Node {
    let count = 1 + random.below(2);
    seq((0..count).map(|_| entry(random, dir, known, files)))
}

/// An entry of `patches`.
pub fn entry(random: &mut Random, dir: &str, known: &Known, files: &mut Vec<(String, String)>) -> Node {
    let (patch, target);
    if random.one_in(3) {
        let object = known.pick(random);
        let operations = operations(random, &object.1);
        patch = written(random, &operations);
        target = Some(selector_of(random, object));
    } else {
        let (first, _) = strategic(random, known);
        let mut out = written(random, &first);
        target = random.one_in(3).then(|| selector(random, known));
        if random.one_in(if target.is_some() { 30 } else { 5 }) {
            let (second, _) = strategic(random, known);
            out = format!("{}\n---\n{}", out.trim_end(), written(random, &second));
        }
        patch = out;
    }
    let mut node = Node::Map(Vec::new());
    if random.one_in(2) {
        let number = files.len();
        files.push((format!("{dir}/p{number}.yaml"), patch));
        node = node.with("path", text(format!("p{number}.yaml")));
    } else {
        node = node.with("patch", text(patch));
    }
    node = node.with_some("target", target);
    if random.one_in(8) {
        let kind = random.one_in(2) && !known.hashed;
        known.changes_kinds.set(known.changes_kinds.get() || kind);
        let name = raw(random.pick(&["true", "false"]));
        let options = map([("allowNameChange", name), ("allowKindChange", raw(kind.to_string()))]);
        node = node.with("options", options);
    }
    node
}

/// `patchesStrategicMerge`.
pub fn strategic_merge(
    random: &mut Random,
    dir: &str,
    known: &Known,
    files: &mut Vec<(String, String)>,
) -> Node {
    let (patch, _) = strategic(random, known);
    let patch = written(random, &patch);
    if random.one_in(2) {
        return seq([text(patch)]);
    }
    let number = files.len();
    files.push((format!("{dir}/p{number}.yaml"), patch));
    seq([text(format!("p{number}.yaml"))])
}

/// `patchesJson6902`.
pub fn json6902(random: &mut Random, dir: &str, known: &Known, files: &mut Vec<(String, String)>) -> Node {
    let (api, kind, name, _) = known.pick(random);
    let (group, version) = api.split_once('/').unwrap_or(("", &api));
    let mut target = map([("version", text(version)), ("kind", text(kind.as_str())), ("name", text(name))]);
    if !group.is_empty() {
        target = target.with("group", text(group));
    }
    let operations = operations(random, &kind);
    let patch = written(random, &operations);
    let node = map([("target", target)]);
    if random.one_in(2) {
        return seq([node.with("patch", text(patch))]);
    }
    let number = files.len();
    files.push((format!("{dir}/p{number}.yaml"), patch));
    seq([node.with("path", text(format!("p{number}.yaml")))])
}
