//! The fields of a kustomization, except for lists that have a module of their own.

use super::patches::selector;
use super::resources::{Known, NAMES, NAMESPACES};
use super::style::{Node, map, raw, seq, stream, text};
use super::{generators, patches, replacements};
use oracle::Random;

/// Adds up to `limit` fields to a kustomization in `dir`.
pub fn add(
    random: &mut Random,
    dir: &str,
    limit: usize,
    known: &mut Known,
    files: &mut Vec<(String, String)>,
    node: &mut Node,
) {
    for _ in 0..random.below(limit) {
        let (name, value) = field(random, dir, known, files);
        let Node::Map(entries) = node else { return };
        if !entries.iter().any(|(own, _)| own == name) {
            entries.push((name.to_owned(), value));
        }
    }
}

fn field(
    random: &mut Random,
    dir: &str,
    known: &mut Known,
    files: &mut Vec<(String, String)>,
) -> (&'static str, Node) {
    match random.below(40) {
        0 => ("namePrefix", text(random.pick(&["p-", "dev-", "1-", "a.b-"]))),
        1 => ("nameSuffix", text(random.pick(&["-s", "-v2", "-1"]))),
        2 | 3 => ("namespace", text(random.pick(NAMESPACES))),
        4 => ("commonLabels", map([("team", text(random.pick(&["core", "1", "true"])))])),
        5 | 6 => ("labels", seq((0..1 + random.below(2)).map(|_| label(random)))),
        7 => ("commonAnnotations", map([("owner", text(random.pick(&["me", "true", "a b", "a: b", "1"])))])),
        8 | 9 => ("images", seq((0..1 + random.below(2)).map(|_| image(random)))),
        10 => {
            let kind = random.pick(&["Deployment", "Deployment", "StatefulSet", "ReplicaSet"]);
            let name = known.of_kind(random, kind).map_or_else(|| "web".to_owned(), |object| object.2);
            ("replicas", seq([map([("name", text(name)), ("count", raw(random.pick(&["5", "0", "1"])))])]))
        }
        11..=13 => ("configMapGenerator", generators::list(random, dir, false, known, files)),
        14 | 15 => ("secretGenerator", generators::list(random, dir, true, known, files)),
        16 => ("generatorOptions", generators::options(random)),
        17..=21 => ("patches", patches::patches(random, dir, known, files)),
        22 => ("patchesStrategicMerge", patches::strategic_merge(random, dir, known, files)),
        23 => ("patchesJson6902", patches::json6902(random, dir, known, files)),
        24..=27 => ("replacements", replacements(random, dir, known, files)),
        28 => ("sortOptions", sort_options(random)),
        29 => {
            let options = ["originAnnotations", "transformerAnnotations", "managedByLabel"];
            let count = 1 + random.below(3);
            (
                "buildMetadata",
                seq(options.iter().take(count).skip(random.below(count)).map(|option| text(*option))),
            )
        }
        30 | 31 => ("vars", replacements::vars(random, known)),
        32 | 33 => ("configurations", configuration(random, dir, files)),
        34..=36 => ("transformers", plugins(random, dir, known, files)),
        37 => ("generators", generator_plugins(random, dir, known, files)),
        38 if random.one_in(3) => ("validators", validators(random, dir, files)),
        _ => ("metadata", map([("name", text("k"))])),
    }
}

fn replacements(random: &mut Random, dir: &str, known: &Known, files: &mut Vec<(String, String)>) -> Node {
    let list = replacements::list(random, known);
    match list {
        Node::Seq(mut items) if random.one_in(5) => {
            let number = files.len();
            let content = if random.one_in(2) { items.pop() } else { None }.unwrap_or(Node::Seq(items));
            files.push((format!("{dir}/r{number}.yaml"), stream(random, &[content])));
            seq([map([("path", text(format!("r{number}.yaml")))])])
        }
        list => list,
    }
}

fn label(random: &mut Random) -> Node {
    let mut node = map([(
        "pairs",
        map([(random.pick(&["tier", "app", "example.com/x"]), text(random.pick(&["front", "1", "true"])))]),
    )]);
    if random.one_in(3) {
        node = node.with("includeSelectors", raw("true"));
    }
    if random.one_in(3) {
        node = node.with("includeTemplates", raw("true"));
    }
    if random.one_in(4) {
        let mut spec = map([(
            "path",
            text(random.pick(&[
                "spec/labels",
                "spec/template/labels",
                "metadata/more",
                "spec/list[]/labels",
            ])),
        )]);
        if random.one_in(2) {
            spec = spec.with("kind", text("Thing"));
        }
        if !random.one_in(3) {
            spec = spec.with("create", raw("true"));
        }
        node = node.with("fields", seq([spec]));
    }
    node
}

fn image(random: &mut Random) -> Node {
    let names = [
        "nginx",
        "example.com:5000/app",
        "redis",
        "app",
        "example.com/a/b/nginx",
        "ngin.",
        "(nginx|redis)",
        "example.com/.*",
    ];
    let node = map([("name", text(random.pick(&names)))]);
    match random.below(7) {
        0 => node.with("newTag", text("v9")),
        1 => node.with("newName", text("other/x")),
        2 => node.with("digest", text("sha256:abc")),
        3 => node.with("newName", text("y")).with("newTag", text("2")),
        4 => node.with("tagSuffix", text("-x")),
        5 => node.with("newTag", text("t")).with("digest", text("sha256:d")),
        _ => node,
    }
}

fn sort_options(random: &mut Random) -> Node {
    match random.below(4) {
        0 => map([("order", text("fifo"))]),
        1 => map([("order", text("legacy"))]),
        _ => {
            let first = seq([text("Deployment"), text("ConfigMap")]);
            let last = seq([text(random.pick(&["Service", "Thing", "Namespace"]))]);
            let mut legacy = Node::Map(Vec::new());
            if random.one_in(2) {
                legacy = legacy.with("orderFirst", first);
            }
            if random.one_in(2) {
                legacy = legacy.with("orderLast", last);
            }
            map([("order", text("legacy")), ("legacySortOptions", legacy)])
        }
    }
}

fn spec(random: &mut Random, paths: &[&str]) -> Node {
    let mut node = map([("path", text(random.pick(paths)))]);
    if random.one_in(2) {
        node = node.with("kind", text(random.pick(&["Thing", "Deployment", "ConfigMap", "Service"])));
    }
    if random.one_in(if paths.contains(&"metadata/name") { 8 } else { 2 }) {
        node = node.with("create", raw("true"));
    }
    if random.one_in(8) {
        node = node.with("group", text("example.com"));
    }
    node
}

fn configuration(random: &mut Random, dir: &str, files: &mut Vec<(String, String)>) -> Node {
    let mut node = Node::Map(Vec::new());
    for _ in 0..1 + random.below(2) {
        let (name, value) = match random.below(9) {
            0 => ("namePrefix", seq([spec(random, &["metadata/name", "spec/value"])])),
            1 => ("commonLabels", seq([spec(random, &["spec/labels", "spec/list/labels"])])),
            2 => ("commonAnnotations", seq([spec(random, &["spec/annotations"])])),
            3 => ("images", seq([spec(random, &["spec/image", "spec/list/image", "spec/list[]/image"])])),
            4 => ("replicas", seq([spec(random, &["spec/replicas", "spec/count"])])),
            5 => ("varReference", seq([spec(random, &["spec/value", "data/k", "spec/list/name"])])),
            6 => ("namespace", seq([spec(random, &["spec/namespace", "spec/ref/namespace"])])),
            7 => ("templateLabels", seq([spec(random, &["spec/template/metadata/labels"])])),
            _ => {
                let reference = map([
                    ("kind", text(random.pick(&["ConfigMap", "Thing", "Secret"]))),
                    (
                        "fieldSpecs",
                        seq([spec(random, &["spec/ref/name", "spec/ref", "spec/value", "spec/plain"])]),
                    ),
                ]);
                ("nameReference", seq([reference]))
            }
        };
        let Node::Map(entries) = &node else { break };
        if !entries.iter().any(|(own, _)| own == name) {
            node = node.with(name, value);
        }
    }
    let number = files.len();
    files.push((format!("{dir}/c{number}.yaml"), stream(random, &[node])));
    seq([text(format!("c{number}.yaml"))])
}

fn plugin(kind: &str) -> Node {
    map([("apiVersion", text("builtin")), ("kind", text(kind)), ("metadata", map([("name", text("plug"))]))])
}

/// A transformer of `transformers`.
fn transformer(random: &mut Random, dir: &str, known: &Known, files: &mut Vec<(String, String)>) -> Node {
    let labels = ["metadata/labels", "spec/template/metadata/labels", "spec/labels"];
    match random.below(12) {
        0 => plugin("LabelTransformer")
            .with("labels", map([("l", text("m"))]))
            .with("fieldSpecs", seq([spec(random, &labels)])),
        1 => plugin("AnnotationsTransformer")
            .with("annotations", map([("l", text("1"))]))
            .with("fieldSpecs", seq([spec(random, &["metadata/annotations", "spec/x"])])),
        2 => plugin("ImageTagTransformer")
            .with("imageTag", image(random))
            .with("fieldSpecs", seq([spec(random, &["spec/image", "spec/list[]/image"])])),
        3 => {
            let node = map([
                ("apiVersion", text("builtin")),
                ("kind", text("NamespaceTransformer")),
                ("metadata", map([("name", text("plug")), ("namespace", text(random.pick(NAMESPACES)))])),
            ]);
            let mut node =
                node.with("fieldSpecs", seq([spec(random, &["metadata/namespace", "subjects", "spec/ns"])]));
            if random.one_in(2) {
                node = node.with("unsetOnly", raw("true"));
            }
            if random.one_in(2) {
                let mode = random.pick(&["none", "defaultOnly", "allServiceAccounts"]);
                node = node.with("setRoleBindingSubjects", text(mode));
            }
            node
        }
        4 => plugin("PrefixTransformer")
            .with("prefix", text("t-"))
            .with("fieldSpecs", seq([spec(random, &["metadata/name", "spec/value"])])),
        5 => plugin("SuffixTransformer")
            .with("suffix", text("-t"))
            .with("fieldSpecs", seq([spec(random, &["metadata/name", "spec/value"])])),
        6 => plugin("ReplicaCountTransformer")
            .with("replica", map([("name", text(known.pick(random).2)), ("count", raw("9"))]))
            .with("fieldSpecs", seq([spec(random, &["spec/replicas", "spec/count"])])),
        7 if !known.changes_kinds.get() => plugin("HashTransformer"),
        8 => plugin("ReplacementTransformer").with("replacements", replacements::list(random, known)),
        9 => {
            let node = plugin("PatchTransformer");
            let Node::Map(fields) = patches::entry(random, dir, known, files) else { return node };
            fields.into_iter().fold(node, |node, (name, value)| node.with(&name, value))
        }
        10 => {
            let node = plugin("ValueAddTransformer").with("value", text("added"));
            let mut target = map([
                ("selector", selector(random, known)),
                (
                    "fieldPath",
                    text(random.pick(&[
                        "metadata/annotations/va",
                        "spec/value",
                        "metadata/namespace",
                        "spec/fresh",
                    ])),
                ),
            ]);
            if random.one_in(3) {
                target = target.with("filePathPosition", raw(random.pick(&["0", "1", "2"])));
            }
            node.with("targets", seq([target]))
        }
        11 if random.one_in(10) => plugin("NoSuchTransformer"),
        _ => plugin("HashTransformer"),
    }
}

fn plugins(random: &mut Random, dir: &str, known: &Known, files: &mut Vec<(String, String)>) -> Node {
    let node = transformer(random, dir, known, files);
    place(random, dir, node, files)
}

/// Puts an object inline or into a file.
fn place(random: &mut Random, dir: &str, node: Node, files: &mut Vec<(String, String)>) -> Node {
    let content = stream(random, &[node]);
    if random.one_in(3) {
        return seq([text(content.replace(['\r', '\u{feff}'], ""))]);
    }
    let number = files.len();
    files.push((format!("{dir}/t{number}.yaml"), content));
    seq([text(format!("t{number}.yaml"))])
}

fn generator_plugins(
    random: &mut Random,
    dir: &str,
    known: &mut Known,
    files: &mut Vec<(String, String)>,
) -> Node {
    let secret = random.one_in(2);
    let kind = if secret { "SecretGenerator" } else { "ConfigMapGenerator" };
    let name = format!("{}-{}", random.pick(NAMES), known.objects.len());
    known.objects.push((
        "v1".into(),
        if secret { "Secret" } else { "ConfigMap" }.into(),
        name.clone(),
        String::new(),
    ));
    let node = map([
        ("apiVersion", text("builtin")),
        ("kind", text(kind)),
        ("metadata", map([("name", text(name))])),
    ]);
    let mut node = generators::sources(random, dir, node, files);
    if known.changes_kinds.get() {
        node = node.with("options", map([("disableNameSuffixHash", raw("true"))]));
    } else {
        known.hashed = true;
        if random.one_in(3) {
            node = node.with("options", generators::options(random));
        }
    }
    place(random, dir, node, files)
}

fn validators(random: &mut Random, dir: &str, files: &mut Vec<(String, String)>) -> Node {
    // Some change nothing, some must not be allowed to, and one label may be set.
    let node = if random.one_in(2) {
        let path = random.pick(&["metadata/labels", "metadata/labels", "spec/no/where"]);
        let mut spec = map([("path", text(path))]);
        if random.one_in(2) {
            spec = spec.with("create", raw("true"));
        }
        let name = random.pick(&["validated-by", "validated-by", "other"]);
        plugin("LabelTransformer").with("labels", map([(name, text("v"))])).with("fieldSpecs", seq([spec]))
    } else {
        let path = random.pick(&["spec/no/where", "spec/no/where", "metadata/annotations"]);
        plugin("AnnotationsTransformer")
            .with("annotations", map([("checked", text("v"))]))
            .with("fieldSpecs", seq([map([("path", text(path))])]))
    };
    place(random, dir, node, files)
}
