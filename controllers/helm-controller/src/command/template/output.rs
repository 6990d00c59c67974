//! Where the objects go: standard output, or files.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use chart::{Chart, Event, Part, listing, show_only, source};

use super::{Arguments, Outcome, Problem};

/// Prints the objects, or writes them to files.
pub fn write(arguments: &Arguments, chart: &Chart, release: &str, outcome: Outcome) -> Result<(), Problem> {
    let Outcome { rendering, raw, problem } = outcome;
    let mut out = std::io::stdout().lock();
    let text = match (&arguments.output_dir, &problem) {
        (_, Some(_)) => format!("{}\n", raw.trim()),
        (None, None) => listing(chart, &rendering, &arguments.parts()),
        (Some(folder), None) => {
            let mut files = OutputFiles { written: BTreeSet::new(), out: &mut out };
            let own = if arguments.release_name { folder.join(release) } else { folder.clone() };
            if arguments.include_crds {
                for (path, file) in chart.crds() {
                    files.add(folder, &path, &file.data.text())?;
                }
            }
            for manifest in &rendering.manifests {
                files.add(&own, &manifest.path, &manifest.content)?;
            }
            let hooks = rendering.hooks.iter().filter(|_| !arguments.no_hooks);
            for hook in hooks.filter(|hook| !(arguments.skip_tests && hook.events.contains(&Event::Test))) {
                files.add(&own, &hook.path, &hook.manifest)?;
            }
            "\n".to_owned()
        }
    };
    let text = if arguments.show_only.is_empty() {
        Ok(text)
    } else {
        show_only(&text, &arguments.show_only).map_err(Problem::ShowOnly)
    };
    match (text, problem) {
        // What was asked for may be in what could not be rendered.
        (Err(_), Some(problem)) | (Err(problem), None) => Err(problem),
        (Ok(text), problem) => {
            print(&mut out, &text)?;
            problem.map_or(Ok(()), Err)
        }
    }
}

/// Whoever reads may have enough, as `head` has.
fn print(out: &mut impl Write, text: &str) -> Result<(), Problem> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(Problem::Write),
    }
}

impl Arguments {
    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        parts.extend(self.include_crds.then_some(Part::Crds));
        parts.extend((!self.no_hooks).then_some(Part::Hooks));
        parts.extend((!self.no_hooks && !self.skip_tests).then_some(Part::Tests));
        parts
    }
}

/// Files in a folder; the documents of a template share one.
struct OutputFiles<'o, W> {
    written: BTreeSet<std::path::PathBuf>,
    out: &'o mut W,
}

impl<W: Write> OutputFiles<'_, W> {
    fn add(&mut self, folder: &Path, path: &str, content: &str) -> Result<(), Problem> {
        let failed = |verb: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| Problem::Disk { verb, path, source }
        };
        let (source_path, path) = (path, folder.join(path));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed("mkdir", parent))?;
        }
        // What an earlier run left there is replaced.
        let again = !self.written.insert(path.clone());
        let file = OpenOptions::new().write(true).create(true).append(again).truncate(!again).open(&path);
        let mut file = file.map_err(failed("open", &path))?;
        file.write_all(source(source_path, content).as_bytes()).map_err(failed("write", &path))?;
        print(self.out, &format!("wrote {}/{source_path}\n", folder.display()))
    }
}
