use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn normal(text: &str) -> Result<String, String> {
    let (mut spill, mut out) = (Cursor::new(Vec::new()), Vec::new());
    normalise(&mut Cursor::new(text.as_bytes()), &mut spill, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

/// Reads the text as a whole, whatever its layout.
fn whole(text: &str) -> Result<String, String> {
    let (mut spill, mut out) = (Cursor::new(Vec::new()), Vec::new());
    let mut index = Index { head: Map::new(), charts: BTreeMap::new(), spill: &mut spill, end: 0 };
    index.read_whole(&mut text.as_bytes()).map_err(|error| error.to_string())?;
    index.write(&mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

/// Whether the text is in the layout that needs no more memory than its longest version.
fn in_pieces(text: &str) -> bool {
    let mut spill = Cursor::new(Vec::new());
    let mut index = Index { head: Map::new(), charts: BTreeMap::new(), spill: &mut spill, end: 0 };
    index.read_pieces(&mut text.as_bytes()).is_ok()
}

const HELM: &str = r#"apiVersion: v1
entries:
  podinfo:
  - apiVersion: v1
    appVersion: 6.0.0
    created: "2026-11-21T10:00:00.123456789Z"
    description: |
      Podinfo,

      in two parts
    digest: aa
    name: podinfo
    urls:
    - https://example.org/podinfo-6.0.0.tgz
    version: 6.0.0
  - apiVersion: v1
    created: 2026-11-22T10:00:00Z
    name: podinfo
    urls: [podinfo-6.10.0.tgz]
    version: 6.10.0
  "app":
  # Not released yet.
  - {name: app, version: 1.0.0-rc.1, urls: [a.tgz], dependencies: [{name: x, repository: ""}, {name: x, repository: ""}]}
  - name: app
    version: not a version
  -
    name: app
    version: 1.0.0
  nothing:
generated: "2026-11-21T10:00:00Z"
"#;

#[test]
fn versions_are_sorted_and_the_unusable_left_out() {
    let text = normal(HELM).unwrap();
    assert!(in_pieces(HELM));
    assert_eq!(text, whole(HELM).unwrap());
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["apiVersion"], "v1");
    assert_eq!(json["generated"], "2026-11-21T10:00:00Z");
    let versions = |chart: &str| -> Vec<String> {
        let found = find(Cursor::new(&text), chart).unwrap().unwrap();
        found.into_iter().map(|version| version.metadata.version).collect()
    };
    assert_eq!(versions("podinfo"), ["6.10.0", "6.0.0"]);
    assert_eq!(versions("app"), ["1.0.0", "1.0.0-rc.1"]);
    assert_eq!(versions("nothing"), Vec::<String>::new());
    assert_eq!(find(Cursor::new(&text), "other").unwrap(), None);
    let podinfo = &find(Cursor::new(&text), "podinfo").unwrap().unwrap()[1];
    assert_eq!(podinfo.urls, ["https://example.org/podinfo-6.0.0.tgz"]);
    assert_eq!((&*podinfo.created, &*podinfo.digest), ("2026-11-21T10:00:00.123456789Z", "aa"));
    assert_eq!(podinfo.metadata.description, "Podinfo,\n\nin two parts\n");
}

#[test]
fn json_and_any_layout_of_yaml_are_read_alike() {
    let text = normal(HELM).unwrap();
    assert_eq!(normal(&text).unwrap(), text);
    let compact: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(normal(&compact.to_string()).unwrap(), text);
    // Not JSON, though it begins so.
    let flow = compact.to_string().replacen("\"apiVersion\":", "apiVersion: ", 1);
    assert_eq!(normal(&flow).unwrap(), text);
    for (from, to) in [
        ("apiVersion: v1\nentries", "\u{feff}---\n# An index.\n\napiVersion: v1\nentries"),
        ("  podinfo:\n", "  podinfo: \r\n"),
        ("  nothing:\n", "  nothing: []\n"),
        ("  nothing:\n", "  nothing: null\n"),
        ("urls: [podinfo-6.10.0.tgz]", "urls: &urls [podinfo-6.10.0.tgz]"),
        ("\"2026-11-21T10:00:00Z\"\n", "\"2026-11-21T10:00:00Z\"\n---\nanother: document\n"),
    ] {
        assert!(HELM.contains(from), "{from}");
        assert_eq!(normal(&HELM.replacen(from, to, 1)).unwrap(), text, "{to}");
    }
}

#[test]
fn what_is_no_index_is_refused() {
    for (text, problem) in [
        ("", "empty index.yaml file"),
        (" \n", "empty index.yaml file"),
        ("# nothing\n", "no API version specified"),
        ("entries: {}\n", "no API version specified"),
        ("{\"entries\": {}}", "no API version specified"),
        ("<html>\n", "the index is not a map"),
        ("apiVersion: v1\nentry: {}\n", "unknown field \"entry\""),
        ("apiVersion: v1\nentries:\n  a:\n  - name: a\n    versio: 1\n", "unknown field \"versio\""),
        ("apiVersion: v1\nentries:\n  a:\n  - name: a\n    name: b\n", "key \"name\" already set in map"),
        ("apiVersion: v1\nentries:\n  a:\n  a:\n", "key \"a\" already set in map"),
        ("apiVersion: v1\nentries: {a: [], a: []}\n", "key \"a\" already set in map"),
        ("apiVersion: v1\nentries:\n  a: b\n", "entries.a is not a list of versions"),
        ("apiVersion: v1\nentries:\n- a\n", "entries is not a map of charts"),
        ("apiVersion: v1\nentries:\n  a:\n  - b\n", "a version of a chart is not a map"),
        ("apiVersion: [v1\n", "yaml"),
    ] {
        let error = normal(text).unwrap_err();
        assert!(error.contains(problem), "{text:?}: {error}");
    }
}

fn index() -> impl Strategy<Value = String> {
    let scalar = "[a-z0-9 :#'\"\\\\-]{0,12}|1\\.[0-9]\\.[0-9]";
    let version = (scalar, "(0|[1-9])\\.[0-9]{1,2}\\.[0-9]", prop::collection::vec(scalar, 0..3));
    let charts = prop::collection::btree_map("[a-z~]{1,4}", prop::collection::vec(version, 0..4), 0..4);
    (charts, any::<bool>(), "[ -~\n]{0,20}").prop_map(|(charts, indented, noise)| {
        let quoted = |text: &str| Json::String(text.to_owned()).to_string();
        let mut out = "apiVersion: v1\nentries:\n".to_owned();
        let dash = if indented { "    - " } else { "  - " };
        for (name, versions) in charts {
            out.push_str(&format!("  {}:\n", quoted(&name)));
            for (description, version, urls) in versions {
                let urls: Vec<String> = urls.iter().map(|url| quoted(url)).collect();
                let inner = " ".repeat(dash.len());
                out.push_str(&format!(
                    "{dash}name: {}\n{inner}apiVersion: v2\n{inner}version: {version}\n{inner}description: {}\n{inner}urls: [{}]\n",
                    quoted(&name), quoted(&description), urls.join(", ")
                ));
            }
        }
        out + &noise
    })
}

proptest! {
    #[test]
    fn pieces_are_the_whole(text in index()) {
        prop_assert_eq!(normal(&text).ok(), whole(&text).ok());
    }

    #[test]
    fn a_chart_is_found_by_lines_as_by_reading(text in index(), name in "[a-z~]{1,4}") {
        let Ok(stored) = normal(&text) else { return Ok(()) };
        let index: Json = serde_json::from_str(&stored).unwrap();
        let names = index["entries"].as_object().unwrap().keys().cloned().chain([name]);
        for name in names {
            let read = stored::find_anyhow(stored.as_bytes(), &name).unwrap();
            prop_assert_eq!(find(Cursor::new(&stored), &name).unwrap(), read);
        }
    }

    #[test]
    fn no_bytes_crash_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300), cut in 0..HELM.len()) {
        let (mut spill, mut out) = (Cursor::new(Vec::new()), Vec::new());
        let _ = normalise(&mut Cursor::new(&bytes), &mut spill, &mut out);
        let mut damaged = HELM.as_bytes().to_vec();
        damaged.splice(cut..cut, bytes);
        let (mut spill, mut out) = (Cursor::new(Vec::new()), Vec::new());
        let _ = normalise(&mut Cursor::new(&damaged), &mut spill, &mut out);
        let _ = find(Cursor::new(&damaged), "podinfo");
    }
}
