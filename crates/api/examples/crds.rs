//! Writes the CustomResourceDefinitions, or checks that those on disk are up to date.
//!
//!     cargo run -p api --example crds -- [--check] DIR
//!
//! Exit codes: 0 written or up to date, 1 out of date, 2 error.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["--check", directory] => check(Path::new(directory)),
        [directory] if !directory.starts_with('-') => write(Path::new(directory)),
        _ => Err("usage: crds [--check] DIR".to_owned()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// File names with their content.
fn render() -> Result<Vec<(String, String)>, String> {
    let definitions = api::crd::definitions().map_err(|error| format!("cannot make the schema: {error}"))?;
    let list: String =
        definitions.iter().map(|definition| format!("  - {}\n", definition.file_name)).collect();
    let kustomization = format!(
        "{HEADER}apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n{list}"
    );
    let mut files: Vec<(String, String)> = definitions
        .into_iter()
        .map(|definition| {
            let yaml = serde_saphyr::to_string(&definition.object)
                .map_err(|error| format!("cannot write {} as YAML: {error}", definition.file_name))?;
            Ok((definition.file_name, format!("{HEADER}{}\n", yaml.trim_end())))
        })
        .collect::<Result<_, String>>()?;
    // So that other kustomizations can build on the folder. Without the ending .yaml `kubectl apply -f crds` skips it.
    files.push(("Kustomization".to_owned(), kustomization));
    Ok(files)
}

const HEADER: &str = "# Generated from crates/api by `cargo xtask crds`. Do not edit.\n---\n";

fn write(directory: &Path) -> Result<ExitCode, String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for (name, content) in render()? {
        let path = directory.join(name);
        std::fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn check(directory: &Path) -> Result<ExitCode, String> {
    let expected = render()?;
    let mut stale: Vec<String> = expected
        .iter()
        .filter(|(name, content)| {
            std::fs::read_to_string(directory.join(name)).ok().as_ref() != Some(content)
        })
        .map(|(name, _)| format!("{name} is out of date"))
        .collect();
    let entries =
        std::fs::read_dir(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    for entry in entries {
        let entry = entry.map_err(|error| format!("{}: {error}", directory.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") && !expected.iter().any(|(expected, _)| *expected == name) {
            stale.push(format!("{name} belongs to no kind"));
        }
    }
    if stale.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for line in stale {
        eprintln!("{}: {line}", directory.display());
    }
    eprintln!("run `cargo xtask crds`");
    Ok(ExitCode::from(1))
}
