//! What charts from strangers may cost: each limit is a clear error.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::io::Write as _;

use chart::{
    Action, ArchiveLimits, Capabilities, Chart, File, ReleaseOptions, Request, SchemaCheck, Set, Table,
    read_values, set, unpack,
};

const CHART: &str = "apiVersion: v2\nname: a\nversion: 1.0.0\n";
const LIMITS: ArchiveLimits = ArchiveLimits { total: 1 << 20, file: 1 << 18 };

fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut tar = tar::Builder::new(gzip);
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

fn problem(files: &[(&str, Vec<u8>)]) -> String {
    Chart::from_archive(&archive(files), &LIMITS).unwrap_err().to_string()
}

#[test]
fn archives_have_a_size() {
    let chart = ("a/Chart.yaml", CHART.as_bytes().to_vec());
    assert_eq!(
        problem(&[chart.clone(), ("a/x", vec![0; (1 << 18) + 1])]),
        "decompressed chart file \"a/x\" is larger than the maximum file size 262144"
    );
    let many = ["a/1", "a/2", "a/3", "a/4", "a/5"].map(|name| (name, vec![0; 1 << 18]));
    let many: Vec<_> = std::iter::once(chart.clone()).chain(many).collect();
    assert_eq!(problem(&many), "decompressed chart is larger than the maximum size 1048576");
    // Small archives that hold large ones.
    let inner = |name: &str| {
        let metadata = CHART.replace("name: a", &format!("name: {name}")).into_bytes();
        let zeros = || vec![0; 1 << 18];
        archive(&[("x/Chart.yaml", metadata), ("x/1", zeros()), ("x/2", zeros()), ("x/3", zeros())])
    };
    let names: Vec<String> = (0..8).map(|i| format!("a/charts/sub{i}-1.tgz")).collect();
    let subs: Vec<_> =
        names.iter().enumerate().map(|(i, path)| (path.as_str(), inner(&format!("sub{i}")))).collect();
    let all: Vec<_> = std::iter::once(chart).chain(subs).collect();
    let found = problem(&all);
    assert!(
        found.contains("the archives within the chart are larger than 4194304 bytes together"),
        "{found}"
    );
}

#[test]
fn archives_have_an_end() {
    // Nothing but folders, for ever.
    let mut header = tar::Header::new_ustar();
    header.set_path("a/b/").unwrap();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o755);
    header.set_cksum();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..20_000 {
        gzip.write_all(header.as_bytes()).unwrap();
    }
    let found = unpack(&gzip.finish().unwrap(), &LIMITS).unwrap_err().to_string();
    assert!(found.contains("unexpected EOF") || found.contains("no files in chart archive"), "{found}");
}

#[test]
fn charts_have_a_depth() {
    let mut bytes = archive(&[("a/Chart.yaml", CHART.as_bytes().to_vec())]);
    for _ in 0..40 {
        bytes = archive(&[("a/Chart.yaml", CHART.as_bytes().to_vec()), ("a/charts/a-1.tgz", bytes)]);
    }
    let found = Chart::from_archive(&bytes, &LIMITS).unwrap_err().to_string();
    assert!(found.ends_with("charts are nested more than 32 deep"), "{found}");
}

#[test]
fn values_do_not_grow() {
    let mut laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
        let (from, to) = pair.split_at(1);
        laughs.push_str(&format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 10].join(", ")));
    }
    let found = read_values(laughs.as_bytes()).unwrap_err().to_string();
    assert!(found.ends_with("yaml: document contains excessive aliasing"), "{found}");
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let found = read_values(format!("a: {deep}").as_bytes()).unwrap_err().to_string();
    assert!(found.contains("exceeded max depth"), "{found}");
    let mut values = Table::new();
    let found = set(&mut values, "a[65537]=1", Set::Typed).unwrap_err().to_string();
    assert_eq!(found, "index of 65537 is greater than maximum supported index of 65536");
}

#[test]
fn what_is_imported_has_an_end() {
    // The first import makes the table `p` that the second would put into itself.
    let metadata = "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- name: a\n  version: 1.0.0\n  \
         repository: ''\n  import-values: [{child: q.x, parent: p}, {child: q, parent: p}]\n";
    let files = [
        ("Chart.yaml", metadata),
        ("charts/a/Chart.yaml", CHART),
        ("charts/a/values.yaml", "q: {x: {y: 1}}\n"),
    ];
    let mut chart = Chart::from_folder(&files, &LIMITS).unwrap();
    assert_eq!(
        chart.process_dependencies(&Table::new(), &mut Vec::new()).unwrap_err().to_string(),
        "import-values of dependency a: q cannot be imported to p, where a part of it is already"
    );
    // Each table twice in the next.
    let (mut metadata, mut values) = (
        format!("{CHART}dependencies:\n- name: a\n  version: 1.0.0\n  import-values:\n"),
        "t0: {x: 1}\n".to_owned(),
    );
    for i in 1..40 {
        values.push_str(&format!("t{i}: {{x: 1}}\n"));
        for (child, place) in [(i, ""), (i - 1, ".l"), (i - 1, ".r")] {
            metadata.push_str(&format!("  - {{child: t{child}, parent: p{i}{place}}}\n"));
        }
    }
    let files =
        [("Chart.yaml", &*metadata), ("charts/a/Chart.yaml", CHART), ("charts/a/values.yaml", &*values)];
    let mut chart = Chart::from_folder(&files, &LIMITS).unwrap();
    let found = chart.process_dependencies(&Table::new(), &mut Vec::new()).unwrap_err().to_string();
    assert!(found.ends_with(", for that makes more than 1048576 values"), "{found}");
}

fn request() -> Request {
    Request {
        release: ReleaseOptions {
            name: "r".into(),
            namespace: "n".into(),
            revision: 1,
            action: Action::Install,
        },
        capabilities: Capabilities::default(),
        schemas: SchemaCheck::Validate,
    }
}

/// What rendering a template says, with smaller limits than the usual ones.
fn render(template: &str, schema: &str) -> String {
    let files = vec![
        File::new("Chart.yaml", CHART.as_bytes()),
        File::new("templates/t.yaml", template.as_bytes()),
        File::new("values.schema.json", schema.as_bytes()),
    ];
    let mut chart = Chart::from_files(files, &LIMITS).unwrap();
    let (user, mut warnings) = (read_values(b"s: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\n").unwrap(), Vec::new());
    chart.process_dependencies(&user, &mut warnings).unwrap();
    let rendered = sprig::with_stack(|| {
        let mut options = sprig::Options::new(0, [1; 32]);
        options.limits = sprig::Limits { steps: 100_000, output: 1 << 16, ..sprig::Limits::default() };
        options.regex_size = 1 << 16;
        chart.render(&user, &request(), options, &mut warnings)
    });
    rendered.unwrap_err().to_string()
}

#[test]
fn templates_have_an_end() {
    for (template, said) in [
        ("{{ range 1000000000 }}{{ end }}", "the template takes more than 100000 steps"),
        ("{{ range 100000 }}0123456789{{ end }}", "the output is longer than 65536 bytes"),
        (
            "{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}",
            "rendering template has a nested reference name: x",
        ),
        (
            "{{ define \"x\" }}{{ template \"x\" . }}{{ end }}{{ template \"x\" . }}",
            "exceeded maximum template depth (3000)",
        ),
        ("{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t) }}", "error calling tpl"),
        ("{{ repeat 1000000000 \"x\" }}", "the result of repeat is longer than 268435456 bytes"),
        ("{{ until 1000000000 }}", "the list is longer than 10000000 elements"),
        (
            "{{ regexFind \"(\\\\pL{900}\\\\pN{900})+\" .Values.s }}",
            "error calling regexFind: regexp: Compile",
        ),
    ] {
        let found = render(template, "{}");
        assert!(found.contains(said), "{template}: {found}");
    }
}

#[test]
fn schemas_have_an_end() {
    let found = render("", r#"{"properties": {"s": {"pattern": "((a{1,900}){1,900}){1,900}"}}}"#);
    assert!(found.contains("invalid repeat count"), "{found}");
    let large = r#"{"properties": {"s": {"pattern": "(\\pL{900}\\pN{900})+"}}}"#;
    let found = render("", large);
    assert!(found.contains("expression too large"), "{found}");
    let endless = r##"{"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}"##;
    let found = render("", endless);
    assert!(found.contains("without end") || found.contains("too many"), "{found}");
}

/// A second thread waits for the values of large charts.
#[test]
fn values_that_cannot_be_combined_end_a_large_chart() {
    let large = format!("{{{{/* {} */}}}}", "x".repeat(200 << 10));
    let schema = format!("{{\"description\": \"{}\"}}", "x".repeat(20 << 10));
    let files = [
        ("Chart.yaml", CHART),
        ("templates/t.yaml", &*large),
        ("values.schema.json", &*schema),
        ("charts/b/Chart.yaml", "apiVersion: v2\nname: b\nversion: 1.0.0\n"),
    ];
    let chart = Chart::from_folder(&files, &LIMITS).unwrap();
    let user = read_values(b"b: 1\n").unwrap();
    let options = sprig::Options::new(0, [1; 32]);
    let problem = chart.render(&user, &request(), options, &mut Vec::new()).unwrap_err().to_string();
    assert!(problem.contains("type mismatch on b"), "{problem}");
}
