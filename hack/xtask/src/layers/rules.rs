//! The rules.

use super::graph::Graph;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Layer {
    Pure,
    Io,
    Kubernetes,
    Controllers,
    EndToEnd,
}

const LAYERS: &[(Layer, &[&str])] = &[
    (
        Layer::Pure,
        &[
            "cel",
            "chart",
            "envsubst",
            "gofloat",
            "gotemplate",
            "kstatus",
            "kustomize",
            "object",
            "patch",
            "schema",
            "semver",
            "sourceignore",
            "sprig",
            "yaml",
        ],
    ),
    (Layer::Io, &["artifact", "auth", "bucket", "decrypt", "git", "net", "oci", "verify"]),
    (Layer::Kubernetes, &["api", "apply", "release", "runtime", "testkit"]),
    (
        Layer::Controllers,
        &["helm-controller", "kustomize-controller", "notification-controller", "source-controller"],
    ),
    (Layer::EndToEnd, &["e2e"]),
];

/// Programs for developers: nothing that ships may link them.
const TOOLING: &[&str] = &["oracle", "plane", "testkit", "xtask"];
const SOURCES: &[&str] = &["bucket", "git", "oci"];
const ENGINES: &[&str] = &["chart", "gotemplate", "kustomize", "sprig"];
/// What makes a crate talk to a cluster.
const KUBERNETES_CLIENTS: &[&str] = &["k8s-openapi", "kube", "kube-client", "kube-core", "kube-runtime"];
/// What makes a crate do IO.
const IO: &[&str] = &["hyper", "mio", "reqwest", "socket2", "tokio"];
const MEANINGLESS_NAMES: &[&str] = &["common", "core", "helpers", "misc", "util", "utils"];

/// (who, must never link, why), through any number of crates.
const SEPARATIONS: &[(&str, &[&str], &str)] = &[
    ("runtime", SOURCES, "runtime knows no source"),
    ("runtime", ENGINES, "runtime knows no engine"),
    ("apply", SOURCES, "apply knows no source"),
    ("apply", ENGINES, "apply knows no engine"),
    ("release", SOURCES, "release knows no source"),
    (
        "kustomize-controller",
        &["bucket", "oci"],
        "kustomize-controller reads artifacts, and Git for remote bases",
    ),
    ("helm-controller", SOURCES, "helm-controller reads artifacts only"),
    ("notification-controller", ENGINES, "notification-controller builds nothing"),
];

fn layer(name: &str) -> Option<Layer> {
    LAYERS.iter().find(|(_, names)| names.contains(&name)).map(|(layer, _)| *layer)
}

/// One line for each broken rule.
pub(super) fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for name in graph.members() {
        if MEANINGLESS_NAMES.contains(&name) {
            found.push(format!("{name}: this name says nothing; name the crate after what it knows"));
        }
        let Some(layer) = layer(name) else {
            if !TOOLING.contains(&name) {
                found.push(format!("{name}: in no layer; add it to hack/xtask/src/layers/rules.rs"));
            }
            continue;
        };
        found.extend(direction(graph, name, layer));
        if layer == Layer::Pure {
            found.extend(never(graph, name, IO, "a pure crate does no IO"));
        }
        if layer <= Layer::Io {
            found.extend(never(graph, name, KUBERNETES_CLIENTS, "only crates above io know Kubernetes"));
        }
    }
    for (who, what, why) in SEPARATIONS.iter().filter(|(who, _, _)| graph.is_member(who)) {
        found.extend(never(graph, who, what, why));
    }
    found
}

fn direction(graph: &Graph, name: &str, from: Layer) -> Vec<String> {
    let mut found = Vec::new();
    for linked in graph.direct(name).filter(|linked| graph.is_member(linked)) {
        if TOOLING.contains(&linked) && from != Layer::EndToEnd && !TOOLING.contains(&name) {
            found.push(format!("{name} → {linked}: a crate for tests may only be a dev-dependency"));
            continue;
        }
        let Some(to) = layer(linked) else { continue };
        if to > from {
            found.push(format!("{name} → {linked}: {from:?} may not link {to:?}"));
        }
        if to == from && from == Layer::Controllers {
            found.push(format!("{name} → {linked}: no controller links another"));
        }
    }
    found
}

fn never(graph: &Graph, who: &str, what: &[&str], why: &str) -> Vec<String> {
    what.iter()
        .filter_map(|forbidden| graph.chain(who, forbidden))
        .map(|chain| format!("{}: {why}", chain.join(" → ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_graph_has_no_violations() {
        let graph = Graph::of(
            &[
                ("yaml", &["serde"]),
                ("kustomize", &["yaml", "regex"]),
                ("git", &["tokio", "net"]),
                ("net", &["reqwest"]),
                ("api", &["kube"]),
                ("apply", &["kube", "object"]),
                ("object", &[]),
                ("testkit", &["plane", "kube"]),
                ("plane", &[]),
                ("xtask", &["plane"]),
                ("source-controller", &["git", "api"]),
                ("kustomize-controller", &["kustomize", "apply", "api"]),
                ("e2e", &["testkit", "api"]),
            ],
            &[("kube", &["tokio"]), ("reqwest", &["tokio"])],
        );
        assert_eq!(violations(&graph), Vec::<String>::new());
    }

    #[test]
    fn each_broken_rule_is_one_line_with_the_chain() {
        let graph = Graph::of(
            &[
                ("yaml", &["serde-like"]),
                ("net", &["api"]),
                ("api", &["kube"]),
                ("runtime", &["artifact"]),
                ("artifact", &["oci"]),
                ("oci", &[]),
                ("kustomize-controller", &["source-controller"]),
                ("source-controller", &["oci", "testkit"]),
                ("testkit", &[]),
                ("util", &[]),
            ],
            &[("serde-like", &["tokio"]), ("tokio", &[]), ("kube", &[])],
        );
        assert_eq!(
            violations(&graph),
            [
                "kustomize-controller → source-controller: no controller links another",
                "net → api: Io may not link Kubernetes",
                "net → api → kube: only crates above io know Kubernetes",
                "source-controller → testkit: a crate for tests may only be a dev-dependency",
                "util: this name says nothing; name the crate after what it knows",
                "util: in no layer; add it to hack/xtask/src/layers/rules.rs",
                "yaml → serde-like → tokio: a pure crate does no IO",
                "runtime → artifact → oci: runtime knows no source",
                "kustomize-controller → source-controller → oci: kustomize-controller reads artifacts, and Git for remote bases",
            ]
        );
    }
}
