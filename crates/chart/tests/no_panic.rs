//! No input makes the chart engine panic: archives, chart files, values, sets, schemas, records.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::io::Write as _;

use chart::{
    Action, ArchiveLimits, Capabilities, Chart, Driver, File, IgnoreRules, KubeVersion, Notes, PathKind,
    Release, ReleaseOptions, Request, SchemaCheck, Separators, Set, Stamp, Table, Time, assemble,
    matches_wildcard, read_values, set, split, unpack,
};
use proptest::prelude::*;

fn limits() -> ArchiveLimits {
    ArchiveLimits { total: 1 << 20, file: 1 << 18 }
}

/// YAML and JSON that is nearly what the readers expect.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "apiVersion: v2\n",
        "name: a\n",
        "version: 1.0.0\n",
        "version: [1]\n",
        "dependencies:\n",
        "- name: a\n",
        "  alias: b\n",
        "  version: '*'\n",
        "  condition: a.b,c\n",
        "  import-values: [x, {child: y, parent: z}]\n",
        "global: {a: {b: 1}}\n",
        "a: {b: null}\n",
        "a:\n",
        "b: &x [*x]\n",
        "<<: *x\n",
        "---\n",
        "? [1]\n",
        "~: 1\n",
        ".nan: .inf\n",
        "{{ .Values }}\n",
        "{\"$ref\": \"#\"}",
        "{\"properties\": {\"a\": {\"$ref\": \"#/properties/a\"}}}",
        "{\"type\": [\"object\", 1], \"enum\": {}}",
        "{\"$ref\": \"http://x/y#z\"}",
        "{\"allOf\": [{\"$dynamicRef\": \"#m\"}, {\"$dynamicAnchor\": \"m\"}]}",
        "\u{feff}",
        "\t",
        "kind: Job\nmetadata: {annotations: {helm.sh/hook: test}}\n",
    ]);
    prop_oneof![
        3 => prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "Chart.yaml",
            "values.yaml",
            "values.schema.json",
            "requirements.yaml",
            "requirements.lock",
            "Chart.lock",
            "templates/a.yaml",
            "templates/_b.tpl",
            "templates/NOTES.txt",
            "charts/a/Chart.yaml",
            "charts/a/values.yaml",
            "charts/a/templates/a.yaml",
            "charts/a.tgz",
            "charts/_x",
            "crds/a.yaml",
        ])
        .prop_map(str::to_owned),
        "[a-z./\\\\:]{0,12}",
    ]
}

fn packed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // Paths that the writer refuses are written as they stand.
        let name = path.as_bytes();
        let field = &mut header.as_old_mut().name;
        let length = name.len().min(field.len());
        field[..length].copy_from_slice(&name[..length]);
        header.set_cksum();
        tar.append(&header, content.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Everything that happens to a chart.
fn use_chart(mut chart: Chart, user: &Table) {
    let mut warnings = Vec::new();
    let _ = chart.crds();
    let _ = chart.missing_dependencies();
    if chart.process_dependencies(user, &mut warnings).is_err() {
        return;
    }
    let request = Request {
        release: ReleaseOptions {
            name: "r".into(),
            namespace: "n".into(),
            revision: 1,
            action: Action::Upgrade,
        },
        capabilities: Capabilities::default(),
        schemas: SchemaCheck::Validate,
    };
    let mut options = sprig::Options::new(0, [1; 32]);
    options.limits.steps = 100_000;
    if let Ok(files) = chart.render(user, &request, options, &mut warnings) {
        for separators in [Separators::Loose, Separators::Strict] {
            let _ = assemble(files.clone(), chart.name(), Notes::WithSubCharts, separators);
        }
    }
    if let Ok(package) = chart.package(Time::zero()) {
        let again = Chart::from_archive(&package.bytes, &limits());
        // What is loaded and packed can be loaded again, but for limits and names that only folders can have.
        if let Ok(again) = again {
            assert_eq!(again.metadata.name, chart.metadata.name);
        }
    }
    let release = Release { chart: Some((&chart).into()), config: user.clone(), ..Release::default() };
    let again = Release::decode(&release.encode().unwrap()).unwrap();
    assert_eq!(again.chart.unwrap().metadata, Some(chart.metadata.clone()));
}

proptest! {
    #[test]
    fn chart_files(files in prop::collection::vec((path(), nearly()), 0..8), user in nearly()) {
        let user = read_values(user.as_bytes()).unwrap_or_default();
        let all = || files.iter().map(|(path, text)| File::new(path.as_str(), text.as_bytes()));
        if let Ok(chart) = Chart::from_files(all().collect(), &limits()) {
            use_chart(chart, &user);
        }
        let base = "apiVersion: v2\nname: a\nversion: 1.0.0\n";
        let mut valid: Vec<File> = all().filter(|file| file.name != "Chart.yaml").collect();
        valid.push(File::new("Chart.yaml", base.as_bytes()));
        if let Ok(chart) = Chart::from_files(valid, &limits()) {
            use_chart(chart, &user);
        }
    }

    #[test]
    fn folders(files in prop::collection::vec((path(), nearly()), 0..8), rules in "[a-z*?!/.#\\[\\] \n\r-]{0,40}") {
        let mut all: Vec<(&str, &str)> = vec![("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"), (".helmignore", &rules)];
        all.extend(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        if let Ok(chart) = Chart::from_folder(&all.as_slice(), &limits()) {
            use_chart(chart, &Table::new());
        }
    }

    #[test]
    fn manifests(files in prop::collection::btree_map("a/templates/[a-z/_.]{0,8}", (nearly(), any::<Vec<u8>>()), 0..4)) {
        let rendered: chart::Files = files
            .into_iter()
            .map(|(path, (text, bytes))| (path, if bytes.len() > 20 { bytes } else { text.into_bytes() }))
            .collect();
        for separators in [Separators::Loose, Separators::Strict] {
            if let Ok(rendering) = assemble(rendered.clone(), "a", Notes::WithSubCharts, separators) {
                let text = rendering.manifest();
                let _ = chart::show_only(&text, &["templates/*".to_owned(), "[".to_owned()]);
            }
        }
    }

    #[test]
    fn archives(files in prop::collection::vec((path(), nearly()), 0..5), damage in any::<Vec<(prop::sample::Index, u8)>>()) {
        let files: Vec<(String, Vec<u8>)> = files.into_iter().map(|(path, text)| (format!("top/{path}"), text.into_bytes())).collect();
        let mut bytes = packed(&files);
        let _ = Chart::from_archive(&bytes, &limits());
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = unpack(&bytes, &limits());
        // Damage below the compression, too.
        let mut tar = Vec::new();
        let _ = std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed(&files)), &mut tar);
        if let Some(byte) = tar.get_mut(bytes.len() % 512) {
            *byte ^= 0x55;
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&tar).unwrap();
        let _ = unpack(&gzip.finish().unwrap(), &limits());
    }

    #[test]
    fn any_archive(bytes in any::<Vec<u8>>()) {
        let _ = unpack(&bytes, &limits());
        let _ = unpack(&[b"\x1f\x8b\x08".as_slice(), &bytes].concat(), &limits());
    }

    #[test]
    fn values(text in nearly(), bytes in any::<Vec<u8>>()) {
        let _ = read_values(text.as_bytes());
        let _ = read_values(&bytes);
    }

    #[test]
    fn sets(text in r"[ab.=,\[\]{}0-9\\ n-]{0,30}", any in any::<String>(), start in "[ab.=,\\[\\]{}01]{0,20}") {
        let mut values = Table::new();
        let _ = set(&mut values, &start, Set::Typed);
        for text in [text, any] {
            let _ = set(&mut values, &text, Set::Typed);
            let _ = set(&mut values, &text, Set::Text);
            let _ = set(&mut values, &text, Set::Json);
            let _ = set(&mut values, &text, Set::Literal);
            let _ = set(&mut values, &text, Set::File(&mut |path| Err(path.to_owned())));
        }
    }

    #[test]
    fn schemas(text in nearly(), user in nearly()) {
        let user = read_values(user.as_bytes()).unwrap_or_default();
        let files = [
            File::new("Chart.yaml", b"apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            File::new("values.schema.json", text.as_bytes()),
        ];
        let chart = Chart::from_files(files.into(), &limits()).unwrap();
        let _ = chart.render_values(&user, SchemaCheck::Validate, &mut Vec::new());
    }

    #[test]
    fn records(text in any::<String>(), json in nearly(), bytes in any::<Vec<u8>>()) {
        use base64::Engine;
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let _ = Release::decode(&text);
        let _ = Release::decode(&encode(&bytes));
        let _ = Release::decode(&encode(json.as_bytes()));
        let _ = Release::decode(&encode(&[b"\x1f\x8b\x08".as_slice(), &bytes].concat()));
        if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
            let _ = Release::from_object(&value);
        }
        let record = serde_json::json!({"name": text, "version": 1, "info": json, "chart": {"metadata": {"name": 1}}, "hooks": [{}]});
        let _ = Release::decode(&encode(record.to_string().as_bytes()));
        let object = serde_json::json!({"kind": "ConfigMap", "data": {"release": text}});
        let _ = Release::from_object(&object);
    }

    #[test]
    fn small_readers(text in any::<String>(), other in any::<String>(), narrow in "[a*?\\[\\]^\\\\/!-]{0,12}") {
        let _ = KubeVersion::parse(&text);
        let _ = Time::parse(&text);
        let _ = matches_wildcard(&text, &other);
        let _ = matches_wildcard(&narrow, &other);
        if let Ok(rules) = IgnoreRules::parse(narrow.as_bytes()) {
            let _ = rules.ignores(&other, PathKind::File);
        }
        let _ = split(&text, Separators::Loose);
        let _ = split(&text, Separators::Strict);
    }
}

#[test]
fn records_round_trip() {
    let release = Release { name: "a".into(), version: 1, manifest: "---\n".into(), ..Release::default() };
    let object = release.object(Driver::Secret, "n", Stamp::Modified(1)).unwrap();
    assert_eq!(Release::from_object(&object).unwrap(), release);
}

#[test]
fn a_chart_that_points_into_itself_ends() {
    // References without end, in every combination.
    for schema in [
        r##"{"$ref": "#"}"##,
        r##"{"properties": {"a": {"$ref": "#"}}, "anyOf": [{"$ref": "#/anyOf/1"}, {"$ref": "#/anyOf/0"}]}"##,
        r##"{"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]}, "b": {"$ref": "#"}}}"##,
    ] {
        let files = [
            File::new("Chart.yaml", b"apiVersion: v2\nname: a\nversion: 1.0.0\n"),
            File::new("values.schema.json", schema.as_bytes()),
        ];
        let chart = Chart::from_files(files.into(), &limits()).unwrap();
        let deep = read_values(b"a: 1").unwrap();
        assert!(chart.render_values(&deep, SchemaCheck::Validate, &mut Vec::new()).is_err(), "{schema}");
    }
}
