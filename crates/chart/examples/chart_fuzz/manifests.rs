//! Templates whose output is cut, sorted and classified.

use std::fmt::Write as _;

use oracle::Random;

const KINDS: [&str; 16] = [
    "ConfigMap",
    "Secret",
    "Service",
    "Deployment",
    "Namespace",
    "Job",
    "Zebra",
    "Apple",
    "CustomResourceDefinition",
    "Ingress",
    "ServiceAccount",
    "RoleBinding",
    "",
    "''",
    "1",
    "ValidatingWebhookConfiguration",
];

const SEPARATORS: [&str; 16] = [
    "---\n",
    "---\n",
    "---\n",
    "\n---\n\n",
    "--- # remark\n",
    "---  \n",
    "---\t\n",
    "\n\n---\n",
    "---\r\n",
    "---\n---\n",
    "---\n# only a remark\n---\n",
    "   \n---\n",
    "--- \n\n\n",
    "----\n",
    " ---\n",
    "\n",
];

/// A template of some documents.
pub fn template(random: &mut Random, name: &str) -> String {
    let mut text = random
        .pick(&[
            "",
            "",
            "",
            "---\n",
            "\n\n",
            "# remark\n",
            "{{/* remark */}}\n",
            "{{- /* remark */ -}}\n",
            "\u{feff}",
            "\r\n",
        ])
        .to_owned();
    for i in 0..=random.below(3) {
        if i > 0 {
            text.push_str(random.pick(&SEPARATORS));
        }
        document(random, &mut text, &format!("{name}-{i}"));
    }
    text.push_str(random.pick(&["", "", "---\n", "\n\n", "---", "# the end", "{{- \"\" }}"]));
    if random.chance(4) { text.replace('\n', "\r\n") } else { text }
}

fn document(random: &mut Random, text: &mut String, name: &str) {
    if random.chance(8) {
        text.push_str(random.pick(&[
            "# nothing else\n",
            "",
            "   \n",
            "null\n",
            "{}\n",
            "text\n",
            "- list\n",
            "a: [\n",
            "{{ if false }}x{{ end }}\n",
            "a: b: c\n",
            "kind: {{ .Values.a }}\n",
            "k: {{ .Values.name }}\n",
            "%YAML 1.1\n",
            "kind: {a: b}\n",
            "metadata: [1]\n",
            "\"a\": 1\n",
            "a: {{ \"{{\" }} x }}\n",
            "t: \tx\n",
            "k: 'a\n",
        ]));
        return;
    }
    let _ = writeln!(text, "apiVersion: {}", random.pick(&["v1", "apps/v1", "1", "x/y"]));
    let kind = random.pick(&KINDS);
    let _ = writeln!(text, "kind: {kind}");
    let hook = random.chance(25);
    if hook || random.chance(60) {
        let _ = writeln!(text, "metadata:\n  name: {name}");
        if hook {
            let events = random.pick(&[
                "pre-install",
                "post-install,pre-upgrade",
                "test",
                "test-success",
                "Pre-Install , post-delete",
                "test-failure",
                "odd",
                "crd-install",
                "pre-install,odd",
                "",
                "pre-rollback,post-rollback,test",
            ]);
            let _ = writeln!(text, "  annotations:\n    \"helm.sh/hook\": \"{events}\"");
            if random.chance(50) {
                let _ = writeln!(
                    text,
                    "    helm.sh/hook-weight: {}",
                    random.pick(&["\"5\"", "\"-5\"", "'x'", "7", "\"+3\"", "''"])
                );
            }
            if random.chance(30) {
                let _ = writeln!(
                    text,
                    "    helm.sh/hook-delete-policy: {}",
                    random.pick(&["before-hook-creation", "hook-succeeded,hook-failed", "odd", "true"])
                );
            }
        } else if random.chance(20) {
            text.push_str(random.pick(&[
                "  annotations: {a: b}\n",
                "  annotations:\n",
                "  annotations: {a: 1}\n",
                "  annotations: {helm.sh/resource-policy: keep}\n",
                "  labels: {a: 1}\n",
                "  annotations: []\n",
            ]));
        }
    }
    if random.chance(40) {
        text.push_str(random.pick(&[
            "data:\n  a: {{ .Values.a | quote }}\n",
            "data: {{ .Values.data | toJson }}\n",
            "text: |\n  line\n  --- no separator\n  last\n",
            "text: |\n  line\n---\n  more\n",
            "files: |\n{{ (.Files.Glob \"**\").AsConfig | indent 2 }}\n",
            "lines:{{ range .Files.Lines \"files/one.txt\" }} {{ . }}{{ end }}\n",
            "name: {{ .Values.name }}\nlist: {{ .Values.list }}\n",
            "release: {{ .Release.Name }}-{{ .Release.Namespace }}-{{ .Release.Revision }}\n",
            "capable: {{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.APIVersions.Has \"v1\" }}\n",
            "tpl: {{ tpl (.Values.b | toString) . | quote }}\n",
            "deep: {{ .Values.global }}\n",
            "required: {{ required \"it is needed\" .Values.c }}\n",
            "{{ if eq (toString .Values.a) \"true\" }}{{ fail \"as asked\" }}{{ end }}\n",
            "sum: {{ include \"shared\" . | sha256sum | trunc 8 }}\n",
            "{{ $_ := set .Values \"changed\" \"yes\" }}changed: {{ .Values.changed }}\n",
            "missing: {{ .Values.nothing.below }}\n",
            "  bad indent: 1\n",
        ]));
    }
}
