//! `replacements` and `vars`.

use super::patches::{selector, selector_of};
use super::resources::Known;
use super::style::{Node, map, raw, seq, text};
use oracle::Random;

fn source_path(random: &mut Random, kind: &str) -> &'static str {
    let paths: &[&str] = match kind {
        "ConfigMap" | "Secret" => &["data.k", "data.a2", "metadata.name", "data.[app.yaml]", "data.Z"],
        "Deployment" | "StatefulSet" => &[
            "metadata.name",
            "spec.template.spec.containers.[name=main].image",
            "spec.template.spec.containers.0.name",
            "spec.selector",
        ],
        "Service" => {
            &["metadata.name", "spec.ports.0.port", "spec.ports.[port=80].targetPort", "metadata.namespace"]
        }
        "Thing" => {
            &["spec.value", "spec.list.[name=x].v", "spec.list", "spec.list.0", "spec.plain.0", "spec.empty"]
        }
        _ => &["metadata.name", "metadata.name", "kind", "apiVersion"],
    };
    let at = random.below(paths.len());
    paths.get(at).copied().unwrap_or("metadata.name")
}

fn target_path(random: &mut Random, kind: &str) -> &'static str {
    let paths: &[&str] = match kind {
        _ if random.one_in(6) => &[
            "metadata.annotations.note",
            "metadata.annotations.[example.com/x]",
            "metadata.labels.app",
            "metadata.labels.fresh",
            "metadata.name",
            "metadata.namespace",
            "spec.new.deep.field",
        ],
        "ConfigMap" | "Secret" => &[
            "data.k",
            "data.[app.yaml].a",
            "data.[app.yaml].a.b",
            "data.[app.yaml].n.m",
            "data.[app.yaml].d.0",
            "data.fresh",
            "data.a2",
        ],
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => &[
            "spec.template.spec.containers.[name=main].image",
            "spec.template.spec.containers.*.image",
            "spec.template.spec.containers.*.env.[name=A].value",
            "spec.template.spec.containers.0.env.0.value",
            "spec.template.spec.containers.[name=side].image",
            "spec.replicas",
            "spec.selector.matchLabels.app",
            "spec.template.metadata.labels.app",
            "spec.template.spec.containers.[name=main].env.[name=NEW].value",
            "spec.template.spec.containers.0.ports.[containerPort=800].name",
        ],
        "Service" => &[
            "spec.ports.*.targetPort",
            "spec.selector.app",
            "spec.ports.[port=80].name",
            "spec.ports.0.port",
        ],
        "Ingress" => &["spec.rules.0.host", "spec.rules.*.host", "spec.rules.0.http.paths.*.path"],
        "Thing" => &[
            "spec.value",
            "spec.list.*.v",
            "spec.list.0.name",
            "spec.list.-",
            "spec.list.[name=y].v",
            "spec.list.[name=x].v",
            "spec.plain.1",
            "spec.list",
            "spec.empty.a",
        ],
        _ => &["metadata.annotations.note", "metadata.labels.app", "metadata.name"],
    };
    let at = random.below(paths.len());
    paths.get(at).copied().unwrap_or("metadata.name")
}

fn options(random: &mut Random, create: bool) -> Node {
    let mut node = Node::Map(Vec::new());
    if random.one_in(3) {
        node = node.with("delimiter", text(random.pick(&[":", "/", "-", ".", " "])));
        if !random.one_in(3) {
            node = node.with("index", raw(random.pick(&["0", "0", "0", "1", "-1"])));
        }
    }
    if create && !random.one_in(6) {
        node = node.with("create", raw("true"));
    }
    node
}

/// A list of replacements.
pub fn list(random: &mut Random, known: &Known) -> Node {
    let count = 1 + random.below(2);
    seq((0..count).map(|_| {
        let (api, kind, name, namespace) = known.pick(random);
        let mut source = map([("kind", text(kind.as_str()))]);
        if !random.one_in(6) {
            source = source.with("name", text(name));
        }
        if !namespace.is_empty() && random.one_in(3) {
            source = source.with("namespace", text(namespace));
        }
        if random.one_in(8) {
            source = source.with("version", text(api.rsplit('/').next().unwrap_or_default()));
        }
        // A mapping that is copied into itself is another one for each program.
        let mut into_any = true;
        if !random.one_in(8) {
            let path = source_path(random, &kind);
            into_any = !["spec.list", "spec.list.0", "spec.empty", "spec.selector"].contains(&path);
            source = source.with("fieldPath", text(path));
        }
        if random.one_in(5) {
            source = source.with("options", options(random, false));
        }
        let targets = 1 + random.below(2);
        let targets: Vec<Node> = (0..targets).map(|_| target(random, known, into_any)).collect();
        let node = Node::Map(Vec::new());
        let node = if random.one_in(15) {
            node.with("sourceValue", text(random.pick(&["v", "1", "a:b", "x y"])))
        } else {
            node.with("source", source)
        };
        node.with("targets", seq(targets))
    }))
}

fn target(random: &mut Random, known: &Known, into_any: bool) -> Node {
    let object = known.pick(random);
    let kind = if into_any { object.1.clone() } else { String::new() };
    let mut node = map([("select", selector_of(random, object))]);
    if random.one_in(6) {
        node = node.with("reject", seq([selector(random, known)]));
    }
    if !random.one_in(12) {
        let count = 1 + random.below(2);
        let paths: Vec<Node> = (0..count).map(|_| text(target_path(random, &kind))).collect();
        node = node.with("fieldPaths", seq(paths));
    }
    if !random.one_in(4) {
        node = node.with("options", options(random, true));
    }
    node
}

/// `vars`.
pub fn vars(random: &mut Random, known: &Known) -> Node {
    let names: &[&str] = if random.one_in(3) { &["VAR", "OTHER"] } else { &["VAR"] };
    seq(names.iter().map(|name| {
        let (api, kind, object, namespace) = known.pick(random);
        let mut reference =
            map([("kind", text(kind.as_str())), ("name", text(object)), ("apiVersion", text(api))]);
        if !namespace.is_empty() && random.one_in(2) {
            reference = reference.with("namespace", text(namespace));
        }
        let node = map([("name", text(*name)), ("objref", reference)]);
        if random.one_in(3) {
            node.with("fieldref", map([("fieldpath", text(source_path(random, &kind)))]))
        } else {
            node
        }
    }))
}
