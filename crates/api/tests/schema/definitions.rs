//! The files in `crds/`.

use serde_json::Value;

/// The definitions as they stand in `crds/`, by file name.
pub fn files() -> Vec<(String, Value)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("Kustomization"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, serde_saphyr::from_str(&text).unwrap())
        })
        .collect();
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    files
}

#[test]
fn the_files_are_up_to_date() {
    let expected = api::crd::definitions().unwrap();
    let files = files();
    let names = |list: &[(String, Value)]| list.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let expected: Vec<_> = expected.into_iter().map(|crd| (crd.file_name, crd.object)).collect();
    assert_eq!(names(&files), names(&expected));
    for ((name, file), (_, expected)) in files.iter().zip(&expected) {
        assert!(file == expected, "crds/{name} is out of date: run `cargo xtask crds`");
    }
}
