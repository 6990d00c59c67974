//! What a build promises beyond its output: all errors at once, limits, confinement, what it read.

use kustomize::{
    Build, BuildErrors, Fetched, LoadRestrictions, MemoryFileSystem, Options, Outside, Remote, RootDecoding,
    build, build_with,
};

const CONFIG_MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n";

fn files(files: &[(&str, &str)]) -> MemoryFileSystem {
    let mut fs = MemoryFileSystem::new();
    for (path, content) in files {
        fs.insert(path, *content);
    }
    fs
}

fn run(list: &[(&str, &str)], root: &str, options: &Options) -> Result<Build, BuildErrors> {
    build(&files(list), root, options)
}

fn errors(list: &[(&str, &str)], options: &Options) -> Vec<String> {
    let errors = run(list, "", options).err();
    errors.iter().flat_map(BuildErrors::errors).map(ToString::to_string).collect()
}

#[test]
fn every_independent_error_is_reported_with_its_place() {
    let kustomization = "\
resources:
- gone.yaml
- broken.yaml
- base
configMapGenerator:
- name: c
  literals: [novalue]
  files: [gone.txt]
patches:
- patch: \"\"
- path: gone-patch.yaml
- target: {kind: \"(\"}
  patch: '[]'
images:
- name: x
  newTag: 1.20
nonsense: true
";
    let options = Options { root_decoding: RootDecoding::Strict, ..Options::default() };
    let found = errors(
        &[
            ("kustomization.yaml", kustomization),
            ("broken.yaml", "kind: [\n"),
            ("base/kustomization.yaml", "resources: [x.yaml]\nnameprefix: 3\n"),
        ],
        &options,
    );
    for (at, what) in [
        ("kustomization.yaml:17: nonsense", "unknown field"),
        ("kustomization.yaml:16: images[0].newTag", "must be a string"),
        ("kustomization.yaml:2: resources[0]", "gone.yaml"),
        ("kustomization.yaml:3: resources[1]", "broken.yaml"),
        ("base/kustomization.yaml:2: nameprefix", "must be a string"),
        ("base/kustomization.yaml:1: resources[0]", "base/x.yaml"),
        ("kustomization.yaml:7: configMapGenerator[0].literals[0]", "key=value"),
        ("kustomization.yaml:8: configMapGenerator[0].files[0]", "gone.txt"),
        ("kustomization.yaml:10: patches[0]", "one of patch and path"),
        ("kustomization.yaml:11: patches[1]", "gone-patch.yaml"),
        ("kustomization.yaml:12: patches[2]", "target.kind"),
    ] {
        let hit = found.iter().any(|error| error.starts_with(at) && error.contains(what));
        assert!(hit, "{at} … {what} is not among:\n{}", found.join("\n"));
    }
    assert_eq!(found.len(), 11, "{}", found.join("\n"));
}

#[test]
fn failing_patches_do_not_hide_each_other() {
    let kustomization = "\
resources: [a.yaml]
patches:
- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}'
- target: {name: a}
  patch: '[{\"op\": \"remove\", \"path\": \"/data/x\"}]'
- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}'
";
    let found = errors(&[("kustomization.yaml", kustomization), ("a.yaml", CONFIG_MAP)], &Options::default());
    assert_eq!(found.len(), 3, "{}", found.join("\n"));
    assert!(
        found
            .iter()
            .zip([3, 4, 6])
            .all(|(error, line)| error.starts_with(&format!("kustomization.yaml:{line}:")))
    );
}

#[test]
fn nothing_leaves_the_root_and_nothing_remote_is_touched() {
    for entry in [
        "../outside.yaml",
        "../../etc/passwd",
        "/etc/passwd",
        "https://example.com/x.yaml",
        "git@example.com:a/b",
        "github.com/a/b?ref=v1",
    ] {
        for field in ["resources", "components", "configurations", "transformers", "crds"] {
            let found =
                errors(&[("kustomization.yaml", &format!("{field}: [\"{entry}\"]\n"))], &Options::default());
            assert_eq!(found.len(), 1, "{field}: {entry}: {found:?}");
        }
    }
}

#[test]
fn files_outside_of_the_kustomization_need_the_restriction_lifted() {
    let tree = [("app/kustomization.yaml", "resources: [../a.yaml]\n"), ("a.yaml", CONFIG_MAP)];
    let strict = Options { load_restrictions: LoadRestrictions::RootOnly, ..Options::default() };
    assert!(run(&tree, "app", &strict).is_err());
    assert!(run(&tree, "app", &Options::default()).is_ok());
}

#[test]
fn cycles_and_depth_end() {
    for (root, base) in [("resources: [b]\n", "resources: [..]\n"), ("resources: [.]\n", "")] {
        let found =
            errors(&[("kustomization.yaml", root), ("b/kustomization.yaml", base)], &Options::default());
        assert!(found.iter().any(|error| error.contains("cycle")), "{found:?}");
    }
    let mut options = Options::default();
    options.limits.depth = 2;
    let tree: Vec<(String, String)> = (0..4)
        .map(|depth| (format!("d{depth}/kustomization.yaml"), format!("resources: [../d{}]\n", depth + 1)))
        .collect();
    let tree: Vec<(&str, &str)> = tree.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let message = run(&tree, "d0", &options).unwrap_err().to_string();
    assert!(message.contains("deeper than 2"), "{message}");
}

#[test]
fn limits_hold() {
    let tree = [("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", CONFIG_MAP)];
    let mut options = Options::default();
    options.limits.file_bytes = 30;
    assert!(run(&tree, "", &options).is_err());
    options = Options::default();
    options.limits.total_bytes = 40;
    assert!(run(&tree, "", &options).is_err());
    options = Options::default();
    options.limits.files = 1;
    assert!(run(&tree, "", &options).is_err());
    options = Options::default();
    options.limits.resources = 0;
    assert!(run(&tree, "", &options).is_err());
    let bomb = format!("{CONFIG_MAP}x: &a [1, 1, 1]\ny: &b [*a, *a, *a]\nz: [*b, *b, *b]\n");
    options = Options::default();
    options.limits.alias_nodes = 20;
    let tree = [("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", bomb.as_str())];
    assert!(run(&tree, "", &options).is_err());
    assert!(run(&tree, "", &Options::default()).is_ok());
}

#[test]
fn a_lenient_root_warns_and_a_base_does_not() {
    let tree = [("kustomization.yaml", "resources: [a.yaml]\nnew: 1\n"), ("a.yaml", CONFIG_MAP)];
    let built = run(&tree, "", &Options::default()).unwrap();
    assert_eq!(built.warnings, ["kustomization.yaml: unknown field new is ignored"]);
    let tree = [
        ("kustomization.yaml", "resources: [b]\n"),
        ("b/kustomization.yaml", "resources: [a.yaml]\nnew: 1\n"),
        ("b/a.yaml", CONFIG_MAP),
    ];
    assert!(run(&tree, "", &Options::default()).is_err());
}

#[test]
fn a_build_tells_what_it_looked_at() {
    let tree = [
        ("kustomization.yaml", "resources: [b]\nconfigMapGenerator: [{name: c, files: [f.txt]}]\n"),
        ("b/kustomization.yml", "resources: [a.yaml]\n"),
        ("b/a.yaml", CONFIG_MAP),
        ("f.txt", "x"),
        ("unused.yaml", CONFIG_MAP),
    ];
    let built = run(&tree, "", &Options::default()).unwrap();
    let read: Vec<&str> = built.inputs.files.iter().map(String::as_str).collect();
    assert_eq!(read, ["b/a.yaml", "b/kustomization.yml", "f.txt", "kustomization.yaml"]);
    assert!(built.inputs.absent.contains("b/kustomization.yaml"));
    assert!(built.inputs.directories.contains("b"));
    assert_eq!(built.resources.len(), 2);
    assert_eq!(built.to_yaml(), built.yaml());
}

#[test]
fn builds_run_side_by_side_and_agree() {
    let tree = files(&[
        ("kustomization.yaml", "resources: [a.yaml]\nnamePrefix: p-\nopenapi: {path: s.json}\n"),
        ("a.yaml", CONFIG_MAP),
        ("s.json", "{\"definitions\": {}}"),
    ]);
    let outputs: Vec<String> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| build(&tree, "", &Options::default()).unwrap().to_yaml()))
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert!(
        outputs.iter().all(|output| output == "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: p-a\n")
    );
}

#[test]
fn the_caller_fetches_what_is_remote() {
    let files = files(&[
        (
            "app/kustomization.yaml",
            "resources:\n- https://example.com/org/repo//overlay?ref=v1\n- https://example.com/b.yaml\nbuildMetadata: [originAnnotations]\n\
             configMapGenerator: [{name: c, files: ['f.yaml=https://example.com/f.yaml'], options: {disableNameSuffixHash: true}}]\n",
        ),
        ("checkout/overlay/kustomization.yaml", "resources: [../base]\n"),
        ("checkout/base/kustomization.yaml", "resources: [a.yaml]\n"),
        ("checkout/base/a.yaml", CONFIG_MAP),
    ]);
    let asked = std::sync::Mutex::new(Vec::new());
    let fetch = |remote: &Remote| match remote {
        Remote::File { url } => {
            asked.lock().unwrap().push(url.clone());
            Ok(Fetched::Content(CONFIG_MAP.replace("name: a", "name: b").into_bytes()))
        }
        Remote::Directory(directory) => {
            asked.lock().unwrap().push(format!("{}@{}", directory.repository, directory.reference));
            Ok(Fetched::Checkout("checkout".to_owned()))
        }
    };
    let options = Options::command_line();
    let built = build_with(&files, "app", &options, Outside { fetch: Some(&fetch), ..Outside::default() })
        .unwrap()
        .to_yaml();
    assert!(
        built.contains("path: base/a.yaml\n      repo: https://example.com/org/repo\n      ref: v1"),
        "{built}"
    );
    assert!(built.contains("  name: b\n") && built.contains("f.yaml: |"), "{built}");
    let mut asked = asked.into_inner().unwrap();
    asked.sort();
    assert_eq!(
        asked,
        ["https://example.com/b.yaml", "https://example.com/f.yaml", "https://example.com/org/repo@v1"]
    );
    let refused = build(&files, "app", &options).unwrap_err();
    assert_eq!(refused.errors().len(), 3, "{refused}");
}

#[test]
fn a_fetched_repository_is_a_limit_of_its_own() {
    let files = files(&[
        ("app/kustomization.yaml", "resources: ['github.com/org/repo']\n"),
        ("checkout/kustomization.yaml", "resources: [../private]\n"),
        ("private/kustomization.yaml", "resources: [a.yaml]\n"),
        ("private/a.yaml", CONFIG_MAP),
    ]);
    let fetch = |_: &Remote| Ok(Fetched::Checkout("checkout".to_owned()));
    let failure =
        build_with(&files, "app", &Options::default(), Outside { fetch: Some(&fetch), ..Outside::default() })
            .unwrap_err()
            .to_string();
    assert!(failure.contains("outside of the repository"), "{failure}");
    let fetch = |_: &Remote| Err("no route to host".to_owned());
    let failure =
        build_with(&files, "app", &Options::default(), Outside { fetch: Some(&fetch), ..Outside::default() })
            .unwrap_err()
            .to_string();
    assert!(failure.ends_with("github.com/org/repo: no route to host"), "{failure}");
}
