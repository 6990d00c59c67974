//! What a hostile input cannot do: each of these would take all memory, all time, or a file of the host, if it were let.

use kustomize::{BuildErrors, DiskFileSystem, LoadRestrictions, MemoryFileSystem, Options, build};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

fn failure(files: &[(&str, &str)], options: &Options) -> String {
    let mut fs = MemoryFileSystem::new();
    for (path, content) in files {
        fs.insert(path, *content);
    }
    build(&fs, "", options).err().as_ref().map(BuildErrors::to_string).unwrap_or_default()
}

fn assert_fails(files: &[(&str, &str)], with: &str) {
    // Far less than the default, so that the tests are quick.
    let mut options = Options::default();
    options.limits.copied_bytes = 64 << 20;
    let failure = failure(files, &options);
    assert!(failure.contains(with), "{with:?} is not in: {failure}");
}

/// Ten levels of ten aliases each: 10^10 nodes.
fn bomb(indent: &str) -> String {
    let mut out = format!("{indent}a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        out.push_str(&format!("{indent}a{level}: &a{level} [{aliases}]\n"));
    }
    out
}

#[test]
fn alias_bombs_end_wherever_they_stand() {
    let bomb = bomb("");
    let object = format!("{CONFIG_MAP}{bomb}");
    let excessive = "excessive aliasing";
    assert_fails(&[("kustomization.yaml", &bomb)], excessive);
    assert_fails(&[("kustomization.yaml", "resources: [r.yaml]\n"), ("r.yaml", &object)], excessive);
    for field in [
        "patches: [{path: r.yaml}]",
        "configurations: [r.yaml]",
        "replacements: [{path: r.yaml}]",
        "crds: [r.yaml]",
    ] {
        let kustomization = format!("{field}\n");
        assert_fails(&[("kustomization.yaml", &kustomization), ("r.yaml", &object)], excessive);
    }
    for field in ["transformers", "generators", "validators"] {
        let kustomization = format!("{field}: [r.yaml]\n");
        assert_fails(&[("kustomization.yaml", &kustomization), ("r.yaml", &object)], excessive);
    }
}

#[test]
fn many_small_alias_bombs_count_together() {
    // Each document and each file stays below the limit of one.
    let mut aliases = String::from("x: &x [x, x, x, x, x, x, x, x, x, x]\n");
    for (name, before) in [("y", "x"), ("z", "y"), ("u", "z"), ("v", "u")] {
        aliases.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(", ")));
    }
    let document = |number: usize| CONFIG_MAP.replace("name: a", &format!("name: a{number}")) + &aliases;
    let many: Vec<String> = (0..40).map(document).collect();
    assert_fails(
        &[("kustomization.yaml", "resources: [r.yaml]\n"), ("r.yaml", &many.join("---\n"))],
        "excessive aliasing",
    );
    let names: Vec<String> = (0..200).map(|number| format!("r{number}.yaml")).collect();
    let kustomization = format!("resources: [{}]\n", names.join(", "));
    let mut files = vec![("kustomization.yaml", kustomization.as_str())];
    let contents: Vec<String> = (0..200).map(document).collect();
    files.extend(names.iter().zip(&contents).map(|(name, content)| (name.as_str(), content.as_str())));
    assert_fails(&files, "copies more than");
}

#[test]
fn aliases_of_long_texts_count_as_long() {
    let text = "x".repeat(1 << 20);
    let object = format!("{CONFIG_MAP}data: {{k: &k {text}}}\nmore: [{}]\n", vec!["*k"; 10_000].join(", "));
    assert_fails(
        &[("kustomization.yaml", "resources: [r.yaml]\n"), ("r.yaml", &object)],
        "excessive aliasing",
    );
}

#[test]
fn a_large_patch_on_many_objects_ends() {
    let objects: Vec<String> =
        (0..2000).map(|number| CONFIG_MAP.replace("name: a", &format!("name: a{number}"))).collect();
    let items = vec!["x"; 5000].join(", ");
    for patch in
        [format!("{CONFIG_MAP}more: [{items}]\n"), format!("- {{op: add, path: /more, value: [{items}]}}\n")]
    {
        assert_fails(
            &[
                (
                    "kustomization.yaml",
                    "resources: [r.yaml]\npatches: [{path: p.yaml, target: {kind: ConfigMap}}]\n",
                ),
                ("r.yaml", &objects.join("---\n")),
                ("p.yaml", &patch),
            ],
            "copies more than",
        );
    }
}

#[test]
fn copies_of_copies_end() {
    // Each step doubles what is there: 2^60 in the end.
    let copy = "{op: copy, from: /data, path: /data/x}".to_owned();
    let steps: String =
        (0..60).map(|step| format!("    - {}\n", copy.replace("/x", &format!("/x{step}")))).collect();
    let kustomization =
        format!("resources: [r.yaml]\npatches:\n- target: {{kind: ConfigMap}}\n  patch: |-\n{steps}");
    let object = format!("{CONFIG_MAP}data: {{k: v}}\n");
    assert_fails(
        &[("kustomization.yaml", &kustomization), ("r.yaml", &object)],
        "the patch copies more than",
    );

    let replacement = |path: &str, options: &str| {
        let target = format!("{{select: {{kind: ConfigMap}}, fieldPaths: ['{path}'], options: {options}}}");
        format!(
            "- {{source: {{kind: ConfigMap, fieldPath: data{}}}, targets: [{target}]}}\n",
            if path == "data.k" { ".k" } else { "" }
        )
    };
    let mut options = Options::default();
    options.limits.copied_bytes = 1 << 20;
    let nested: String =
        (0..60).map(|step| replacement(&format!("data.x{step}"), "{create: true}")).collect();
    let joined = replacement("data.k", "{delimiter: '-', index: 1000000}").repeat(60);
    for replacements in [nested, joined] {
        let kustomization = format!("resources: [r.yaml]\nreplacements:\n{replacements}");
        let found = failure(&[("kustomization.yaml", &kustomization), ("r.yaml", &object)], &options);
        assert!(found.contains("copies more than"), "{found}");
    }
}

#[test]
fn long_vars_in_many_places_end() {
    let value = "x".repeat(1 << 18);
    let references = "$(V)".repeat(2000);
    let object = format!("{CONFIG_MAP}data: {{v: {value}, k: '{references}'}}\n");
    let kustomization = "resources: [r.yaml]\nconfigurations: [c.yaml]\nvars:\n- name: V\n  objref: {apiVersion: v1, kind: ConfigMap, name: a}\n  \
                         fieldref: {fieldpath: data.v}\n";
    assert_fails(
        &[
            ("kustomization.yaml", kustomization),
            ("r.yaml", &object),
            ("c.yaml", "varReference: [{path: data/k}]\n"),
        ],
        "copies more than",
    );
}

#[test]
fn the_output_ends_at_its_limit() {
    let mut options = Options::default();
    options.limits.output_bytes = 100;
    let object = format!("{CONFIG_MAP}data: {{k: {}}}\n", "x".repeat(200));
    let found = failure(&[("kustomization.yaml", "resources: [r.yaml]\n"), ("r.yaml", &object)], &options);
    assert!(found.contains("more than 100 bytes"), "{found}");
    options.limits.output_bytes = 1000;
    assert_eq!(
        failure(&[("kustomization.yaml", "resources: [r.yaml]\n"), ("r.yaml", &object)], &options),
        ""
    );
}

#[test]
fn patterns_take_linear_time() {
    // With backtracking, each of these takes longer than anyone waits.
    let name = "a".repeat(5000);
    let object = CONFIG_MAP.replace("name: a", &format!("name: {name}"));
    for pattern in ["(a*)*b", "(a|a)*b", "(a|aa)+$b", "(.*)*(.*)*(.*)*x"] {
        for target in [format!("name: '{pattern}'"), format!("kind: ConfigMap|{pattern}")] {
            let kustomization = format!(
                "resources: [r.yaml]\npatches:\n- target: {{{target}}}\n  patch: '[{{\"op\": \"add\", \"path\": \"/x\", \"value\": 1}}]'\n"
            );
            assert_eq!(
                failure(&[("kustomization.yaml", &kustomization), ("r.yaml", &object)], &Options::default()),
                ""
            );
        }
        let kustomization = format!(
            "resources: [r.yaml]\nreplacements:\n- sourceValue: x\n  targets:\n  - select: {{name: '{pattern}'}}\n  - select: {{kind: ConfigMap}}\n    \
             fieldPaths: ['list.[k={pattern}].v']\n    options: {{create: false}}\n"
        );
        let object = format!("{object}list: [{{k: {name}}}]\n");
        let found =
            failure(&[("kustomization.yaml", &kustomization), ("r.yaml", &object)], &Options::default());
        assert!(found.contains("is not there"), "{found}");
    }
    assert_fails(
        &[
            (
                "kustomization.yaml",
                "resources: [r.yaml]\npatches:\n- target: {name: '((((a{1000}){1000}){1000}){1000})'}\n  patch: '[]'\n",
            ),
            ("r.yaml", CONFIG_MAP),
        ],
        "target.name",
    );
}

#[test]
fn deep_nesting_is_refused() {
    let flow = format!("{CONFIG_MAP}x: {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let block: String = (0..5000).map(|depth| format!("{}x:\n", " ".repeat(depth))).collect();
    for object in [flow, format!("{CONFIG_MAP}{block}")] {
        assert_fails(
            &[("kustomization.yaml", "resources: [r.yaml]\n"), ("r.yaml", &object)],
            "exceeded max depth",
        );
    }
}

#[test]
fn many_ways_to_the_same_base_end() {
    // Every level names the next one twice: 2^60 bases.
    let mut files = MemoryFileSystem::new();
    for level in 0..60 {
        let next = format!("resources: [../l{}, ../l{}/.]\n", level + 1, level + 1);
        files.insert(&format!("l{level}/kustomization.yaml"), next);
    }
    files.insert("l60/kustomization.yaml", "resources: [a.yaml]\n").insert("l60/a.yaml", CONFIG_MAP);
    let mut options = Options::default();
    options.limits.files = 1000;
    let failure = build(&files, "l0", &options).unwrap_err().to_string();
    assert!(failure.contains("1000 files"), "{failure}");
}

#[cfg(unix)]
#[test]
fn nothing_of_the_host_is_read() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    std::fs::create_dir_all(root.join("app")).unwrap();
    std::fs::create_dir_all(outer.path().join("base")).unwrap();
    std::fs::write(outer.path().join("secret.yaml"), CONFIG_MAP).unwrap();
    std::fs::write(outer.path().join("base/kustomization.yaml"), "resources: [s.yaml]\n").unwrap();
    std::fs::write(outer.path().join("base/s.yaml"), CONFIG_MAP).unwrap();
    for (link, to) in [("file.yaml", "secret.yaml"), ("dir", "base")] {
        std::os::unix::fs::symlink(outer.path().join(to), root.join("app").join(link)).unwrap();
    }
    let absolute = outer.path().join("secret.yaml");
    let absolute = absolute.to_str().unwrap();
    let fs = DiskFileSystem::open(&root).unwrap();
    for entry in
        ["file.yaml", "dir", "dir/s.yaml", "../../secret.yaml", "../../base", absolute, "/etc/hostname"]
    {
        for field in [
            "resources: [E]",
            "components: [E]",
            "configurations: [E]",
            "patches: [{path: E}]",
            "crds: [E]",
            "replacements: [{path: E}]",
            "openapi: {path: E}",
            "transformers: [E]",
            "configMapGenerator: [{name: c, files: [E]}]",
            "secretGenerator: [{name: c, envs: [E]}]",
        ] {
            let kustomization = format!("{}\n", field.replace('E', entry));
            std::fs::write(root.join("app/kustomization.yaml"), &kustomization).unwrap();
            let options = Options { load_restrictions: LoadRestrictions::None, ..Options::default() };
            assert!(build(&fs, "app", &options).is_err(), "{kustomization}");
        }
    }
}

#[test]
fn a_file_is_measured_before_it_is_read() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("kustomization.yaml"), "resources: [r.yaml]\n").unwrap();
    // A terabyte that takes no room.
    std::fs::File::create(root.path().join("r.yaml")).unwrap().set_len(1 << 40).unwrap();
    let fs = DiskFileSystem::open(root.path()).unwrap();
    let failure = build(&fs, "", &Options::default()).unwrap_err().to_string();
    assert!(failure.contains("bytes a file"), "{failure}");
}
