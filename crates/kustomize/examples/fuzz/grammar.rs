//! Random kustomizations: bases, overlays and components, with fields that influence each other.

/// A tree of files and what to build.
#[derive(Clone)]
pub struct Case {
    /// Paths and contents.
    pub files: Vec<(String, String)>,
    /// The folder to build.
    pub path: String,
    /// `none`, `legacy` or `unspecified`.
    pub reorder: &'static str,
}

/// Small and the same on every machine (splitmix64).
pub struct Random(u64);

impl Random {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let at = self.below(choices.len());
        choices.get(at).copied().unwrap_or_default()
    }
}

const NAMES: &[&str] = &["web", "api", "db", "cache", "web-config"];
const NAMESPACES: &[&str] = &["default", "prod", "kube-system", "ns-1"];
const SCALARS: &[&str] = &[
    "a",
    "\"b\"",
    "1",
    "\"1\"",
    "1.0",
    "true",
    "\"true\"",
    "yes",
    "null",
    "~",
    "\"\"",
    "''",
    "017",
    "1e3",
    "a b c",
    "'it''s'",
    "\"x\\ny\"",
    "\"tab\\there\"",
    "2001-01-01",
    "0x1F",
    "|\n  two\n  lines\n",
    "http://example.com:80/x?y=z",
    "$(VAR)",
    "é",
    "\"- a\"",
    "on",
    "1_000",
    "long words that go on and on and on, to see where the line is folded when it is more than eighty wide",
];

/// A value that fits on the line of its key; block scalars are indented by the caller.
fn scalar(random: &mut Random, indent: usize) -> String {
    let text = random.pick(SCALARS);
    text.trim_end_matches('\n').replace('\n', &format!("\n{}", " ".repeat(indent)))
}

/// A whole case.
pub fn case(random: &mut Random) -> Case {
    let mut files = Vec::new();
    base(random, "base", &mut files);
    let mut path = "base".to_owned();
    if random.below(4) > 0 {
        if random.one_in(4) {
            base(random, "other", &mut files);
        }
        if random.one_in(4) {
            component(random, &mut files);
        }
        overlay(random, &mut files);
        path = "overlay".to_owned();
    }
    let reorder = ["none", "none", "legacy", "unspecified"].get(random.below(4)).copied().unwrap_or("none");
    Case { files, path, reorder }
}

fn base(random: &mut Random, dir: &str, files: &mut Vec<(String, String)>) {
    let mut kustomization = String::from("resources:\n");
    for number in 0..1 + random.below(3) {
        let name = format!("r{number}.yaml");
        kustomization.push_str(&format!("- {name}\n"));
        let mut content = resource(random);
        for _ in 0..random.below(3) {
            content.push_str("---\n");
            content.push_str(&resource(random));
        }
        files.push((format!("{dir}/{name}"), content));
    }
    fields(random, dir, &mut kustomization, files);
    files.push((format!("{dir}/kustomization.yaml"), kustomization));
}

fn overlay(random: &mut Random, files: &mut Vec<(String, String)>) {
    let mut kustomization = String::from("resources:\n- ../base\n");
    if files.iter().any(|(path, _)| path.starts_with("other/")) {
        kustomization.push_str("- ../other\n");
    }
    if random.one_in(3) {
        kustomization.push_str("- extra.yaml\n");
        files.push(("overlay/extra.yaml".to_owned(), resource(random)));
    }
    if files.iter().any(|(path, _)| path.starts_with("component/")) {
        kustomization.push_str("components:\n- ../component\n");
    }
    fields(random, "overlay", &mut kustomization, files);
    files.push(("overlay/kustomization.yaml".to_owned(), kustomization));
}

fn component(random: &mut Random, files: &mut Vec<(String, String)>) {
    let mut kustomization = String::from("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n");
    fields(random, "component", &mut kustomization, files);
    files.push(("component/kustomization.yaml".to_owned(), kustomization));
}

/// Metadata: name, now and then a namespace, labels and annotations.
fn metadata(random: &mut Random, name: &str) -> String {
    let mut out = format!("metadata:\n  name: {name}\n");
    if random.one_in(3) {
        out.push_str(&format!("  namespace: {}\n", random.pick(NAMESPACES)));
    }
    if random.one_in(3) {
        out.push_str(&format!("  labels:\n    app: {name}\n"));
    }
    if random.one_in(3) {
        out.push_str(&format!(
            "  annotations:\n    note: \"{}\"\n",
            random.pick(&["a", "1", "true", "x y", "c: d"])
        ));
    }
    out
}

fn pod_spec(random: &mut Random, indent: &str) -> String {
    let mut out = format!("{indent}containers:\n");
    for (at, container) in ["main", "side"].iter().enumerate().take(1 + random.below(2)) {
        let image = random.pick(&[
            "nginx",
            "nginx:1.25",
            "example.com:5000/app:v1",
            "redis@sha256:24a0c4b4",
            "app:latest",
        ]);
        out.push_str(&format!("{indent}- name: {container}\n{indent}  image: {image}\n"));
        if random.one_in(2) {
            out.push_str(&format!("{indent}  ports:\n{indent}  - containerPort: 8{at}\n"));
            if random.one_in(2) {
                out.push_str(&format!("{indent}    protocol: {}\n", random.pick(&["TCP", "UDP"])));
            }
        }
        if random.one_in(2) {
            out.push_str(&format!(
                "{indent}  env:\n{indent}  - name: A\n{indent}    value: {}\n",
                scalar(random, indent.len() + 6)
            ));
            if random.one_in(2) {
                let (kind, name) = (random.pick(&["configMapKeyRef", "secretKeyRef"]), random.pick(NAMES));
                out.push_str(&format!("{indent}  - name: B\n{indent}    valueFrom:\n{indent}      {kind}:\n{indent}        name: {name}\n{indent}        key: k\n"));
            }
        }
        if random.one_in(4) {
            out.push_str(&format!(
                "{indent}  envFrom:\n{indent}  - configMapRef:\n{indent}      name: {}\n",
                random.pick(NAMES)
            ));
        }
        if random.one_in(4) {
            out.push_str(&format!("{indent}  args: [a, --b, \"$(VAR)\"]\n"));
        }
    }
    if random.one_in(3) {
        let (kind, field) = if random.one_in(2) { ("configMap", "name") } else { ("secret", "secretName") };
        out.push_str(&format!(
            "{indent}volumes:\n{indent}- name: v\n{indent}  {kind}:\n{indent}    {field}: {}\n",
            random.pick(NAMES)
        ));
    }
    if random.one_in(4) {
        out.push_str(&format!("{indent}serviceAccountName: {}\n", random.pick(NAMES)));
    }
    out
}

fn template(random: &mut Random, indent: &str, name: &str) -> String {
    let mut out = format!("{indent}template:\n");
    if random.below(4) > 0 {
        out.push_str(&format!("{indent}  metadata:\n{indent}    labels:\n{indent}      app: {name}\n"));
    }
    out.push_str(&format!("{indent}  spec:\n"));
    out.push_str(&pod_spec(random, &format!("{indent}    ")));
    out
}

fn resource(random: &mut Random) -> String {
    let name = random.pick(NAMES);
    let head = |api: &str, kind: &str, random: &mut Random| {
        format!("apiVersion: {api}\nkind: {kind}\n{}", metadata(random, name))
    };
    match random.below(15) {
        0..=3 => {
            let kind = random.pick(&["Deployment", "Deployment", "StatefulSet", "DaemonSet"]);
            let mut out = head("apps/v1", kind, random);
            out.push_str("spec:\n");
            if kind != "DaemonSet" && random.one_in(2) {
                out.push_str("  replicas: 2\n");
            }
            out.push_str(&format!("  selector:\n    matchLabels:\n      app: {name}\n"));
            if kind == "StatefulSet" {
                out.push_str(&format!("  serviceName: {}\n", random.pick(NAMES)));
            }
            out + &template(random, "  ", name)
        }
        4 | 5 => {
            let out = head("v1", "Service", random);
            format!(
                "{out}spec:\n  selector:\n    app: {name}\n  ports:\n  - port: 80\n    targetPort: {}\n",
                random.pick(&["80", "http", "\"80\""])
            )
        }
        6 | 7 => {
            let mut out = head("v1", "ConfigMap", random);
            out.push_str("data:\n");
            for key in ["k", "a10", "a2", "app.yaml"].iter().take(1 + random.below(4)) {
                out.push_str(&format!("  {key}: {}\n", scalar(random, 4)));
            }
            out
        }
        8 => head("v1", "Secret", random) + "type: Opaque\ndata:\n  k: YQ==\n",
        9 => {
            let mut out = head("networking.k8s.io/v1", "Ingress", random);
            out.push_str("spec:\n  rules:\n  - host: example.com\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n");
            out + &format!(
                "        backend:\n          service:\n            name: {}\n            port:\n              number: 80\n",
                random.pick(NAMES)
            )
        }
        10 => head("v1", "ServiceAccount", random),
        11 => {
            let mut out = head(
                "rbac.authorization.k8s.io/v1",
                random.pick(&["RoleBinding", "ClusterRoleBinding"]),
                random,
            );
            out.push_str(&format!(
                "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: {}\n  name: {}\n",
                random.pick(&["Role", "ClusterRole"]),
                random.pick(NAMES)
            ));
            out.push_str(&format!(
                "subjects:\n- kind: ServiceAccount\n  name: {}\n",
                random.pick(&["default", "web", "api"])
            ));
            if random.one_in(2) {
                out.push_str(&format!("  namespace: {}\n", random.pick(NAMESPACES)));
            }
            out
        }
        12 => {
            head("rbac.authorization.k8s.io/v1", random.pick(&["Role", "ClusterRole"]), random)
                + "rules: []\n"
        }
        13 => {
            let mut out = head("batch/v1", "CronJob", random);
            out.push_str("spec:\n  schedule: \"*/5 * * * *\"\n  jobTemplate:\n    spec:\n");
            out + &template(random, "      ", name)
        }
        _ => {
            let mut out = head("example.com/v1", "Thing", random);
            out.push_str(&format!(
                "spec:\n  value: {}\n  list:\n  - name: x\n    v: 1\n  - name: y\n",
                scalar(random, 4)
            ));
            if random.one_in(2) {
                out.push_str("  empty: {}\n  none: null\n  blank:\n");
            }
            out
        }
    }
}

fn fields(random: &mut Random, dir: &str, out: &mut String, files: &mut Vec<(String, String)>) {
    for _ in 0..random.below(5) {
        let before = out.len();
        match random.below(17) {
            0 => out.push_str(&format!("namePrefix: {}\n", random.pick(&["p-", "dev-", "\"1-\""]))),
            1 => out.push_str(&format!("nameSuffix: {}\n", random.pick(&["-s", "-v2"]))),
            2 => out.push_str(&format!("namespace: {}\n", random.pick(NAMESPACES))),
            3 => out.push_str(&format!("commonLabels:\n  team: {}\n", random.pick(&["core", "\"1\"", "x"]))),
            4 => {
                out.push_str("labels:\n- pairs:\n    tier: front\n");
                if random.one_in(2) {
                    out.push_str(&format!(
                        "  {}: true\n",
                        random.pick(&["includeSelectors", "includeTemplates"])
                    ));
                }
                if random.one_in(4) {
                    out.push_str("  fields:\n  - path: spec/labels\n    kind: Thing\n    create: true\n");
                }
            }
            5 => out.push_str(&format!(
                "commonAnnotations:\n  owner: {}\n",
                random.pick(&["me", "\"true\"", "a b"])
            )),
            6 => {
                out.push_str(&format!(
                    "images:\n- name: {}\n",
                    random.pick(&["nginx", "example.com:5000/app", "redis", "app"])
                ));
                out.push_str(random.pick(&[
                    "  newTag: v9\n",
                    "  newName: other/x\n",
                    "  digest: sha256:abc\n",
                    "  newName: y\n  newTag: \"2\"\n",
                    "  tagSuffix: -x\n",
                ]));
            }
            7 => out.push_str(&format!("replicas:\n- name: {}\n  count: 5\n", random.pick(NAMES))),
            8 => generator(random, dir, "configMapGenerator", out, files),
            9 => generator(random, dir, "secretGenerator", out, files),
            10 => out.push_str(random.pick(&[
                "generatorOptions:\n  disableNameSuffixHash: true\n",
                "generatorOptions:\n  labels:\n    g: x\n",
                "generatorOptions:\n  annotations:\n    g: x\n  immutable: true\n",
            ])),
            11 | 12 => patches(random, dir, out, files),
            13 => replacements(random, out),
            14 => out
                .push_str(random.pick(&["sortOptions:\n  order: fifo\n", "sortOptions:\n  order: legacy\n"])),
            15 => out.push_str(random.pick(&[
                "buildMetadata: [originAnnotations]\n",
                "buildMetadata: [transformerAnnotations]\n",
            ])),
            _ => {
                let (kind, name) = (random.pick(&["Service", "Deployment", "ConfigMap"]), random.pick(NAMES));
                let api = if kind == "Deployment" { "apps/v1" } else { "v1" };
                out.push_str(&format!("vars:\n- name: VAR\n  objref:\n    apiVersion: {api}\n    kind: {kind}\n    name: {name}\n"));
            }
        }
        // A field that is there already would be an error of no interest.
        let added = out.split_off(before);
        let field = added.split(':').next().unwrap_or_default().to_owned();
        if !out.lines().any(|line| line.strip_prefix(&field).is_some_and(|rest| rest.starts_with(':'))) {
            out.push_str(&added);
        }
    }
}

fn generator(
    random: &mut Random,
    dir: &str,
    field: &str,
    out: &mut String,
    files: &mut Vec<(String, String)>,
) {
    out.push_str(&format!("{field}:\n"));
    for _ in 0..1 + random.below(2) {
        out.push_str(&format!("- name: {}\n", random.pick(NAMES)));
        if dir != "base" && random.one_in(3) {
            out.push_str(&format!("  behavior: {}\n", random.pick(&["merge", "replace", "create"])));
        }
        if random.one_in(4) {
            out.push_str(&format!("  namespace: {}\n", random.pick(NAMESPACES)));
        }
        if random.one_in(4) {
            out.push_str(random.pick(&[
                "  options:\n    disableNameSuffixHash: true\n",
                "  options:\n    labels:\n      o: p\n",
                "  options:\n    immutable: true\n",
            ]));
        }
        match random.below(3) {
            0 => out.push_str(&format!(
                "  literals:\n  - {}\n  - k=v\n",
                random.pick(&["a=b", "\"c='d'\"", "e=", "'f=\"g\"'", "n=1", "u=é", "m=x=y"])
            )),
            1 => {
                let number = files.len();
                let content = random.pick(&[
                    "hello\n",
                    "two\nlines\n",
                    "no end",
                    "",
                    "a: b\n",
                    "trailing \n",
                    "\ta b\nc\n",
                    "é\n",
                    "x\r\ny\r\n",
                ]);
                files.push((format!("{dir}/f{number}.txt"), content.to_owned()));
                out.push_str(&format!("  files:\n  - {}f{number}.txt\n", random.pick(&["", "key="])));
            }
            _ => {
                let number = files.len();
                let content = random.pick(&[
                    "A=1\nB=two words\n",
                    "# c\n\nX=y=z\n",
                    "export Q=r\n",
                    "E=\n",
                    "D=\"quoted\"\n",
                ]);
                files.push((format!("{dir}/e{number}.env"), content.to_owned()));
                out.push_str(&format!("  envs:\n  - e{number}.env\n"));
            }
        }
    }
}

fn patches(random: &mut Random, dir: &str, out: &mut String, files: &mut Vec<(String, String)>) {
    out.push_str("patches:\n");
    for _ in 0..1 + random.below(2) {
        let (kind, api) = match random.below(5) {
            0..=2 => ("Deployment", "apps/v1"),
            3 => ("ConfigMap", "v1"),
            _ => ("Thing", "example.com/v1"),
        };
        let name = random.pick(NAMES);
        if random.one_in(3) {
            let target = random.pick(&[
                "    kind: Deployment\n",
                "    kind: ConfigMap\n",
                "    name: w.*\n",
                "    labelSelector: app=web\n",
                "    kind: Thing\n    version: v1\n",
            ]);
            let operation = random.pick(&[
                "- op: add\n  path: /metadata/annotations\n  value: {x: y}\n",
                "- op: replace\n  path: /metadata/name\n  value: renamed\n",
                "- op: add\n  path: /spec/list/-\n  value: {name: z}\n",
                "- op: remove\n  path: /spec/replicas\n",
                "- op: add\n  path: /spec/new\n  value: [1, \"2\", 1.5, true, null]\n",
                "- op: test\n  path: /metadata/name\n  value: web\n- op: add\n  path: /metadata/labels\n  value: {t: \"1\"}\n",
                "- op: copy\n  from: /metadata/name\n  path: /copied\n",
            ]);
            out.push_str(&format!("- target:\n{target}  patch: |-\n{}", indented(operation, 4)));
            continue;
        }
        let body = match kind {
            "Deployment" => random.pick(&[
                "spec:\n  replicas: 7\n",
                "spec:\n  template:\n    spec:\n      containers:\n      - name: main\n        env:\n        - name: NEW\n          value: x\n",
                "spec:\n  template:\n    spec:\n      containers:\n      - name: added\n        image: busybox\n      - name: main\n        ports:\n        - containerPort: 80\n          protocol: TCP\n          name: http\n",
                "spec:\n  template:\n    spec:\n      containers:\n      - name: main\n        $patch: delete\n",
                "spec:\n  $patch: replace\n  replicas: 1\n",
                "spec:\n  template:\n    spec:\n      volumes:\n      - name: v\n        emptyDir: {}\n        configMap: null\n",
                "spec:\n  replicas: null\n  selector: {}\n",
                "$patch: delete\n",
                "spec:\n  template:\n    spec:\n      $setElementOrder/containers:\n      - name: main\n",
            ]),
            "ConfigMap" => random.pick(&["data:\n  new: \"1\"\n", "data:\n  k: null\n", "data: null\n", "data:\n  k: |\n    multi\n    line\n", "$patch: delete\n"]),
            _ => random.pick(&[
                "spec:\n  list:\n  - name: q\n",
                "spec:\n  value: null\n  other: 017\n",
                "spec:\n  empty: null\n  deep:\n    er: {}\n",
                "spec: null\n",
            ]),
        };
        let patch = format!("apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {name}\n{body}");
        if random.one_in(2) {
            let number = files.len();
            files.push((format!("{dir}/p{number}.yaml"), patch));
            out.push_str(&format!("- path: p{number}.yaml\n"));
        } else {
            out.push_str(&format!("- patch: |-\n{}", indented(&patch, 4)));
        }
        if random.one_in(3) {
            out.push_str(&format!("  target:\n    kind: {kind}\n"));
        }
        if random.one_in(8) {
            out.push_str("  options:\n    allowNameChange: true\n    allowKindChange: true\n");
        }
    }
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

fn replacements(random: &mut Random, out: &mut String) {
    let source = random.pick(&[
        "    kind: ConfigMap\n    name: web\n    fieldPath: data.k\n",
        "    kind: Service\n    fieldPath: metadata.name\n",
        "    kind: Deployment\n    name: web\n    fieldPath: spec.replicas\n",
        "    kind: Thing\n    name: web\n    fieldPath: spec.value\n",
        "    kind: ConfigMap\n    name: api\n    fieldPath: data.k\n    options:\n      delimiter: \":\"\n      index: 0\n",
        "    kind: Thing\n    fieldPath: spec.list.[name=x].v\n",
    ]);
    let select = random.pick(&[
        "      kind: Deployment\n",
        "      kind: ConfigMap\n",
        "      name: web\n",
        "      kind: Thing\n",
        "      version: v1\n",
    ]);
    let target = random.pick(&[
        "    - metadata.annotations.note\n",
        "    - spec.template.spec.containers.[name=main].image\n    options:\n      delimiter: \":\"\n      index: 1\n",
        "    - spec.template.spec.containers.*.env.[name=A].value\n",
        "    - metadata.labels.fresh\n    options:\n      create: true\n",
        "    - spec.value\n",
        "    - spec.list.*.v\n",
        "    - data.k\n",
        "    - spec.list.0.name\n",
    ]);
    out.push_str(&format!("replacements:\n- source:\n{source}  targets:\n  - select:\n{select}"));
    if random.one_in(4) {
        out.push_str("    reject:\n    - name: api\n");
    }
    out.push_str(&format!("    fieldPaths:\n{target}"));
}
