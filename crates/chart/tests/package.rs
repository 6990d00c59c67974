//! Charts are packed as the real `helm package` packs them: the same header, and the same tar file to the byte.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::io::Read as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::UNIX_EPOCH;

use chart::{ArchiveLimits, Chart, Entry, EntryKind, FileTree, Time};

/// The real Helm, built if it is not yet.
fn helm() -> PathBuf {
    plane::programs::Peers::ensure().unwrap().helm
}

struct Folder(PathBuf);

impl FileTree for Folder {
    fn entries(&self, folder: &str) -> Result<Vec<Entry>, String> {
        let entries = std::fs::read_dir(self.0.join(folder)).unwrap().map(|entry| {
            let (name, found) = (entry.as_ref().unwrap().file_name(), entry.unwrap().metadata().unwrap());
            let age = found.modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
            Entry {
                name: name.into_string().unwrap(),
                kind: if found.is_dir() { EntryKind::Folder } else { EntryKind::File },
                size: found.len(),
                modified: Some(Time::unix(age.as_secs() as i64, age.subsec_nanos() as i32)),
            }
        });
        Ok(entries.collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.0.join(path)).map_err(|error| error.to_string())
    }
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut tar).unwrap();
    tar
}

/// Both archives of a chart.
fn packed(files: &[(&str, &str)]) -> (Vec<u8>, chart::Package) {
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("chart");
    for (path, content) in files {
        let path = chart.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let output =
        Command::new(helm()).current_dir(folder.path()).args(["package", "./chart"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let ours = Chart::from_folder(&Folder(chart), &ArchiveLimits::default()).unwrap();
    let ours = ours.package(Time::zero()).unwrap();
    let theirs = std::fs::read(folder.path().join(&ours.name)).unwrap();
    (theirs, ours)
}

fn assert_same(files: &[(&str, &str)]) {
    let (theirs, ours) = packed(files);
    let (wanted, found) = (unzipped(&theirs), unzipped(&ours.bytes));
    if found != wanted {
        let at = found.iter().zip(&wanted).position(|(a, b)| a != b).unwrap_or(found.len().min(wanted.len()));
        let around = |bytes: &[u8]| {
            let piece = &bytes[at.saturating_sub(40)..(at + 60).min(bytes.len())];
            String::from_utf8_lossy(piece).into_owned()
        };
        panic!(
            "lengths {} and {}, differ at {at}:\n{:?}\n{:?}",
            found.len(),
            wanted.len(),
            around(&found),
            around(&wanted)
        );
    }
    let head = 10 + 2 + 44 + 5;
    assert_eq!(ours.bytes[..head], theirs[..head], "the header of gzip");
    // And what is packed can be loaded again.
    let again = Chart::from_archive(&ours.bytes, &ArchiveLimits::default()).unwrap();
    assert_eq!(unzipped(&again.package(Time::zero()).unwrap().bytes), found);
}

#[test]
fn a_chart_is_packed_as_helm_packs_it() {
    let long = format!("files/{}/{}.txt", "a".repeat(110), "b".repeat(60));
    let longer = format!("files/{}.txt", "c".repeat(130));
    assert_same(&[
        (
            "Chart.yaml",
            "apiVersion: v2\nname: shop\nversion: 1.2.3+build\nappVersion: 1.10\ndescription: \"a: b\\n'c' \\u00e9\"\nkubeVersion: '>=1.20'\nhome: https://x.y\n\
             sources: [a, b]\nkeywords: [yes, 'on']\nmaintainers: [{name: n, email: e@x, url: u}]\nicon: i\ntags: t\nannotations:\n  b: '1'\n  a: |-\n    line\n    more\n\
             dependencies:\n- {name: db, version: '>=1', repository: '', alias: data, condition: db.enabled, tags: [x], import-values: [data, {child: a, parent: b}]}\n",
        ),
        (
            "Chart.lock",
            "generated: 2024-05-06T07:08:09.5+02:00\ndigest: sha256:abc\ndependencies:\n- {name: db, version: 1.0.0, repository: ''}\n",
        ),
        ("values.yaml", "# kept as it is\na:   1\n"),
        ("values.schema.json", "{ \"type\": \"object\" }\n"),
        ("templates/a.yaml", "a: 1\n"),
        ("templates/_h.tpl", ""),
        ("crds/x.yaml", "kind: X\n"),
        ("README.md", &"0123456789abcdef".repeat(64)),
        ("files/\u{e9}.txt", "not ascii\n"),
        (&long, "split\n"),
        (&longer, "extended\n"),
        (".helmignore", "*.swp\n"),
        ("ignored.swp", "x"),
        ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"),
        ("charts/db/values.yaml", "x: 1\n"),
        ("charts/db/templates/t.yaml", "t: 1\n"),
    ]);
}

#[test]
fn an_old_chart_keeps_its_requirements() {
    assert_same(&[
        ("Chart.yaml", "name: old\nversion: 0.1.0\n"),
        ("requirements.yaml", "dependencies:\n- {name: db, version: '*', repository: ''}\n"),
        ("requirements.lock", "generated: 2020-01-01T00:00:00Z\ndigest: x\ndependencies: []\n"),
        ("charts/db/Chart.yaml", "name: db\nversion: 1.0.0\n"),
        ("templates/a.yaml", "a: 1\n"),
    ]);
}

#[test]
fn what_cannot_be_packed_is_said() {
    let chart = |files: &[(&str, &str)]| {
        Chart::from_folder(&files, &ArchiveLimits::default()).unwrap().package(Time::zero()).map(|p| p.name)
    };
    let metadata = ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n");
    assert_eq!(chart(&[metadata]).unwrap(), "a-1.0.0.tgz");
    let problem = chart(&[metadata, ("values.schema.json", "{")]).unwrap_err();
    assert_eq!(problem.to_string(), "invalid JSON in values.schema.json");
}
