//! `configMapGenerator`, `secretGenerator`, `generatorOptions`, and what they read.

use super::resources::{Known, NAMES, NAMESPACES};
use super::style::{Node, map, raw, seq, text};
use oracle::Random;

const LITERALS: &[&str] = &[
    "a=b",
    "c='d'",
    "e=",
    "f=\"g\"",
    "n=1",
    "u=é",
    "m=x=y",
    "q='it's'",
    "h=#",
    "t=true",
    "s= a b ",
    "l=a\\nb",
    "k2=\"",
    "w=two words",
    "x=$(VAR)",
    "j={\"a\":1}",
];

const FILES: &[&str] = &[
    "hello\n",
    "two\nlines\n",
    "no end",
    "",
    "a: b\n",
    "trailing \n",
    "\ta b\nc\n",
    "é\n",
    "x\r\ny\r\n",
    "\n",
    "\n\nx\n",
    " lead\n",
    "# c\n",
    "a\u{0}b",
    "\u{1}\u{2}",
    "tab\tin\nside\n",
    "{\"a\": 1}\n",
    "long line that goes on and on and on and on and on and on and on and on and on and on, over eighty\n",
    "x\n\n\n",
];

const ENVS: &[&str] = &[
    "A=1\nB=two words\n",
    "# c\n\nX=y=z\n",
    "export Q=r\n",
    "E=\n",
    "D=\"quoted\"\n",
    "\u{feff}M=1\n",
    "A=1\r\nB=2\r\n",
    "  S = t \n",
    "N\n",
    "P='p'\nP2=\n",
    "U=é",
];

/// Options of one generator, or of all.
pub fn options(random: &mut Random) -> Node {
    match random.below(6) {
        0 => map([("disableNameSuffixHash", raw("true"))]),
        1 => map([("labels", map([("g", text("x")), ("o", raw("\"1\""))]))]),
        2 => map([("annotations", map([("g", text("x"))])), ("immutable", raw("true"))]),
        3 => map([("immutable", raw("true"))]),
        4 => map([("disableNameSuffixHash", raw("false")), ("labels", map([("l", text("m"))]))]),
        _ => map([("annotations", map([("note", text("a: b"))]))]),
    }
}

/// A list of generators. Files they read are added to `files`.
pub fn list(
    random: &mut Random,
    dir: &str,
    secret: bool,
    known: &mut Known,
    files: &mut Vec<(String, String)>,
) -> Node {
    let kind = if secret { "Secret" } else { "ConfigMap" };
    let count = 1 + random.below(2);
    seq((0..count).map(|_| {
        let mut node = Node::Map(Vec::new());
        let old = known.of_kind(random, kind).filter(|_| random.one_in(3));
        match old {
            Some((_, _, name, namespace)) => {
                node = node.with("name", text(name));
                let behavior = random.pick(&["merge", "merge", "replace", "create"]);
                node = node.with("behavior", text(behavior));
                if !namespace.is_empty() && !random.one_in(6) {
                    node = node.with("namespace", text(namespace));
                }
            }
            None => {
                let mut name = random.pick(NAMES).to_owned();
                let taken = known.objects.iter().any(|object| object.1 == kind && object.2 == name);
                if taken && !random.one_in(12) {
                    name = format!("{name}-g{}", known.objects.len());
                }
                node = node.with("name", text(name.as_str()));
                let mut namespace = String::new();
                if random.one_in(5) {
                    namespace = random.pick(NAMESPACES).to_owned();
                    node = node.with("namespace", text(namespace.as_str()));
                }
                known.objects.push(("v1".to_owned(), kind.to_owned(), name, namespace));
            }
        }
        if known.changes_kinds.get() {
            node = node.with("options", map([("disableNameSuffixHash", raw("true"))]));
        } else {
            known.hashed = true;
            if random.one_in(4) {
                node = node.with("options", options(random));
            }
        }
        if secret && random.one_in(4) {
            node = node.with("type", text(random.pick(&["Opaque", "kubernetes.io/tls"])));
        }
        sources(random, dir, node, files)
    }))
}

/// Adds literals, files and env files to a generator.
pub fn sources(random: &mut Random, dir: &str, mut node: Node, files: &mut Vec<(String, String)>) -> Node {
    let mask = 1 + random.below(7);
    if mask & 1 != 0 {
        let count = 1 + random.below(3);
        let literals: Vec<Node> = (0..count).map(|_| text(random.pick(LITERALS))).collect();
        node = node.with("literals", seq(literals));
    }
    if mask & 2 != 0 && random.one_in(2) {
        let number = files.len();
        files.push((format!("{dir}/f{number}.txt"), random.pick(FILES).to_owned()));
        let key = random.pick(&["", "", "key=", "a.b-c_d="]);
        let place = random.pick(&["", "./"]);
        node = node.with("files", seq([text(format!("{key}{place}f{number}.txt"))]));
    }
    if mask & 4 != 0 && random.one_in(2) {
        let number = files.len();
        files.push((format!("{dir}/e{number}.env"), random.pick(ENVS).to_owned()));
        let path = text(format!("e{number}.env"));
        node = if random.one_in(6) { node.with("env", path) } else { node.with("envs", seq([path])) };
    }
    node
}
