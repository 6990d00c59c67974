//! What `helm template` prints.

use crate::hook::Event;
use crate::load::Chart;
use crate::manifest::{Rendering, Separators, split, write_source};
use crate::wildcard;

/// Which parts of a rendered chart are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The custom resource definitions in `crds/`.
    Crds,
    /// The hooks that are no tests.
    Hooks,
    /// The hooks that are tests.
    Tests,
}

/// The documents of a rendered chart as `helm template` prints them: definitions, objects, then hooks.
#[must_use]
pub fn listing(chart: &Chart, rendering: &Rendering, parts: &[Part]) -> String {
    let mut text = String::new();
    if parts.contains(&Part::Crds) {
        for (path, file) in chart.crds() {
            write_source(&path, &file.data.text(), &mut text);
        }
    }
    rendering.write_manifest(&mut text);
    // It begins with a separator, if at all.
    text.truncate(text.trim_end().len());
    text.push('\n');
    for hook in &rendering.hooks {
        let part = if hook.events.contains(&Event::Test) { Part::Tests } else { Part::Hooks };
        if parts.contains(&part) {
            write_source(&hook.path, &hook.manifest, &mut text);
        }
    }
    text
}

/// The documents of a listing whose templates are asked for: paths within the chart, or Go patterns of such.
///
/// # Errors
/// A pattern that no document belongs to.
pub fn show_only(listing: &str, patterns: &[String]) -> Result<String, String> {
    let documents = split(listing, Separators::Strict);
    let mut out = String::new();
    for pattern in patterns {
        let mut found = false;
        for document in &documents {
            if path_of(document).is_some_and(|path| wildcard::matches(pattern, path) == Ok(true)) {
                out.push_str("---\n");
                out.push_str(document);
                out.push('\n');
                found = true;
            }
        }
        if !found {
            return Err(format!("could not find template {pattern} in chart"));
        }
    }
    Ok(out)
}

/// The path behind the first `# Source:`, without the chart's name.
fn path_of(document: &str) -> Option<&str> {
    let path = document.lines().find_map(|line| line.split_once("# Source: "))?.1;
    path.split_once('/').map(|(_, path)| path)
}
