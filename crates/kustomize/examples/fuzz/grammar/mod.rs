//! Random kustomizations: bases, overlays and components, with fields that influence each other, written in many styles.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a mistake here should be loud")]

mod fields;
mod generators;
mod patches;
mod replacements;
mod resources;
mod scalars;
mod schemas;
mod style;

pub use oracle::Random;
use resources::Known;
use style::{Node, map, seq, stream, text};

use crate::case::Case;

/// A whole case.
pub fn case(random: &mut Random) -> Case {
    let mut files = Vec::new();
    let mut known = Known::default();
    base(random, "base", &mut known, &mut files);
    let mut path = "base";
    if !random.one_in(3) {
        let mut resources = vec!["../base"];
        if random.one_in(5) {
            base(random, "other", &mut known, &mut files);
            resources.push("../other");
        }
        let component = random.one_in(4);
        if component {
            kustomization(random, "component", Vec::new(), &mut known, &mut files);
        }
        overlay(random, "overlay", resources, component, &mut known, &mut files);
        path = "overlay";
        if random.one_in(5) {
            overlay(random, "top", vec!["../overlay"], false, &mut known, &mut files);
            path = "top";
        }
    }
    if random.one_in(8) {
        mutate(random, &mut files);
    }
    let reorder = ["none", "none", "legacy", "unspecified"].get(random.below(4)).copied().unwrap_or("none");
    Case { files, path: path.to_owned(), reorder }
}

fn base(random: &mut Random, dir: &str, known: &mut Known, files: &mut Vec<(String, String)>) {
    let mut resources = Vec::new();
    for number in 0..1 + random.below(3) {
        let name = format!("r{number}.yaml");
        let documents = resources::documents(random, known);
        files.push((format!("{dir}/{name}"), stream(random, &documents)));
        resources.push(text(name));
    }
    kustomization(random, dir, vec![("resources", seq(resources))], known, files);
}

fn overlay(
    random: &mut Random,
    dir: &str,
    bases: Vec<&str>,
    component: bool,
    known: &mut Known,
    files: &mut Vec<(String, String)>,
) {
    let mut resources: Vec<Node> = bases.into_iter().map(text).collect();
    let mut fields = Vec::new();
    if random.one_in(10) {
        fields.push(("bases", seq(std::mem::take(&mut resources))));
    }
    if random.one_in(3) {
        let documents = resources::documents(random, known);
        files.push((format!("{dir}/extra.yaml"), stream(random, &documents)));
        resources.push(text("extra.yaml"));
    }
    if !resources.is_empty() {
        fields.push(("resources", seq(resources)));
    }
    if component {
        fields.push(("components", seq([text("../component")])));
    }
    kustomization(random, dir, fields, known, files);
}

fn kustomization(
    random: &mut Random,
    dir: &str,
    fields: Vec<(&str, Node)>,
    known: &mut Known,
    files: &mut Vec<(String, String)>,
) {
    let mut node = Node::Map(Vec::new());
    if dir == "component" {
        node = map([("apiVersion", text("kustomize.config.k8s.io/v1alpha1")), ("kind", text("Component"))]);
    } else if random.one_in(3) {
        node =
            map([("apiVersion", text("kustomize.config.k8s.io/v1beta1")), ("kind", text("Kustomization"))]);
    }
    for (name, value) in fields {
        node = node.with(name, value);
    }
    // With many fields, most cases end in an error of one of them.
    let limit = 2 + random.below(6);
    fields::add(random, dir, limit, known, files, &mut node);
    if random.one_in(60) {
        node = node.with("openapi", map([("path", text("schema.json"))]));
        files.push((format!("{dir}/schema.json"), schemas::openapi(random)));
    } else if random.one_in(60) {
        node = node.with("crds", seq([text("crds.json")]));
        files.push((format!("{dir}/crds.json"), schemas::crds(random)));
    }
    let name = if random.one_in(12) {
        random.pick(&["kustomization.yml", "Kustomization"])
    } else {
        "kustomization.yaml"
    };
    files.push((format!("{dir}/{name}"), stream(random, &[node])));
}

/// A slip of the pen: lines go missing, come twice or are indented; words change.
fn mutate(random: &mut Random, files: &mut [(String, String)]) {
    let count = files.len();
    let Some((_, content)) = files.get_mut(random.below(count)) else { return };
    let mut lines: Vec<String> = content.split_inclusive('\n').map(str::to_owned).collect();
    let at = random.below(lines.len());
    if at >= lines.len() {
        return;
    }
    match random.below(6) {
        0 if !lines[at].starts_with("---") => drop(lines.remove(at)),
        1 => lines.insert(at, lines[at].clone()),
        2 => lines[at].insert_str(0, "  "),
        3 => lines[at] = lines[at].replacen(": ", ":", 1),
        4 | 5 => {
            let text = random
                .pick(&["\t", "'", "\"", "- ", "[", "&a ", "*a", "!!str ", "null", "#", "|", "? ", ","]);
            let line = lines[at].clone();
            let place = line
                .char_indices()
                .map(|(place, _)| place)
                .nth(random.below(line.chars().count()))
                .unwrap_or(0);
            lines[at].insert_str(place, text);
        }
        _ => {
            let line = lines[at].clone();
            if let Some((key, _)) = line.split_once(": ") {
                lines[at] = format!(
                    "{key}: {}\n",
                    random.pick(&["null", "1", "true", "[]", "{}", "x", "[a]", "{a: b}", ""])
                );
            }
        }
    }
    *content = lines.concat();
}
