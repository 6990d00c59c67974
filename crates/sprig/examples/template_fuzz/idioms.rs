//! What charts really write: helpers and manifests in the manner of widely used charts, with values that mostly fit.

use serde_json::{Map, Value, json};

use crate::grammar::{Case, value};
use crate::texts;
use crate::tree::{Kind, Part};
use oracle::Random;

const HELPERS: &[&str] = &[
    r#"{{/* Name of the chart. */}}
{{- define "name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}
"#,
    r#"{{- define "fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end -}}
"#,
    r#"{{- define "labels" -}}
app.kubernetes.io/name: {{ include "name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
"#,
    r#"{{- define "render" -}}
{{- $value := typeIs "string" .value | ternary .value (.value | toYaml) }}
{{- if contains "{{" (toJson .value) }}
  {{- if .scope }}
      {{- tpl (cat "{{- with $.RelativeScope -}}" $value "{{- end }}") (merge (dict "RelativeScope" .scope) .context) }}
  {{- else }}
    {{- tpl $value .context }}
  {{- end }}
{{- else }}
    {{- $value }}
{{- end }}
{{- end -}}
"#,
    r#"{{- define "merged" -}}
{{- $dst := dict -}}
{{- range .values -}}
{{- $dst = include "render" (dict "value" . "context" $.context) | fromYaml | merge $dst -}}
{{- end -}}
{{ $dst | toYaml }}
{{- end -}}
"#,
    r#"{{- define "image" -}}
{{- $registry := default .image.registry ((.global).imageRegistry) -}}
{{- $termination := .image.tag | default .chart.AppVersion | toString -}}
{{- $separator := ":" -}}
{{- if .image.digest }}
    {{- $separator = "@" -}}
    {{- $termination = .image.digest | toString -}}
{{- end -}}
{{- if $registry }}
    {{- printf "%s/%s%s%s" $registry .image.repository $separator $termination -}}
{{- else -}}
    {{- printf "%s%s%s"  .image.repository $separator $termination -}}
{{- end -}}
{{- end -}}
"#,
    r#"{{- define "pullSecrets" -}}
{{- $names := list }}
{{- range (concat (default list (.Values.global).imagePullSecrets) (default list .Values.imagePullSecrets)) }}
{{- if kindIs "map" . }}
{{- $names = append $names .name }}
{{- else }}
{{- $names = append $names . }}
{{- end }}
{{- end }}
{{- if (not (empty $names)) }}
imagePullSecrets:
{{- range $names | uniq }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}
"#,
    r#"{{- define "ingressVersion" -}}
{{- if and (.Capabilities.APIVersions.Has "networking.k8s.io/v1") (semverCompare ">= 1.19-0" .Capabilities.KubeVersion.Version) -}}
networking.k8s.io/v1
{{- else if semverCompare "<1.14-0" (default .Capabilities.KubeVersion.Version .Values.kubeVersion) -}}
extensions/v1beta1
{{- else -}}
networking.k8s.io/v1beta1
{{- end -}}
{{- end -}}
"#,
    r#"{{- define "storageClass" -}}
{{- $class := (.global).storageClass | default .persistence.storageClass | default "" -}}
{{- if $class -}}
  {{- if (eq "-" $class) -}}
      {{- printf "storageClassName: \"\"" -}}
  {{- else }}
      {{- printf "storageClassName: %s" $class -}}
  {{- end -}}
{{- end -}}
{{- end -}}
"#,
    r#"{{- define "validate" -}}
{{- $messages := list -}}
{{- if and .Values.ingress (not (kindIs "map" .Values.ingress)) }}{{ $messages = append $messages "ingress: a map, please" }}{{ end -}}
{{- $messages = append $messages (include "problem" .) -}}
{{- $messages = without $messages "" -}}
{{- $message := join "\n" $messages -}}
{{- if $message -}}
{{-   printf "\nVALUES VALIDATION:\n%s" $message | fail -}}
{{- end -}}
{{- end -}}
{{- define "problem" -}}
{{- if gt (int .Values.replicas) 60 -}}
replicas: {{ .Values.replicas }} is too many
{{- end -}}
{{- end -}}
"#,
    r#"{{- define "env" -}}
{{- range $key, $val := . }}
- name: {{ $key | upper | replace "-" "_" | quote }}
  {{- if kindIs "map" $val }}
  valueFrom:
    {{- toYaml $val | nindent 4 }}
  {{- else }}
  value: {{ $val | toString | quote }}
  {{- end }}
{{- end }}
{{- end -}}
"#,
    r#"{{- define "resources" -}}
{{- $presets := dict
  "nano" (dict "requests" (dict "cpu" "100m" "memory" "128Mi") "limits" (dict "cpu" "150m" "memory" "192Mi"))
  "small" (dict "requests" (dict "cpu" "500m" "memory" "512Mi") "limits" (dict "cpu" "750m" "memory" "768Mi"))
}}
{{- if hasKey $presets .type -}}
{{- index $presets .type | toYaml -}}
{{- else -}}
{{- printf "ERROR: Preset key '%s' invalid. Allowed values are %s" .type (join "," (keys $presets | sortAlpha)) | fail -}}
{{- end -}}
{{- end -}}
"#,
];

const MANIFESTS: &[&str] = &[
    r#"apiVersion: v1
kind: Service
metadata:
  name: {{ include "fullname" . }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "labels" . | nindent 4 }}
  {{- with (.Values.service).annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .Values.service.type | default "ClusterIP" }}
  ports:
  {{- range $i, $port := .Values.service.ports }}
    - port: {{ $port.port | default (add 8000 $i) }}
      name: {{ $port.name | default (printf "port-%d" $i) | lower | quote }}
      {{- if and (eq $.Values.service.type "NodePort") $port.nodePort }}
      nodePort: {{ $port.nodePort }}
      {{- end }}
  {{- else }}
    []
  {{- end }}
"#,
    r#"{{- if .Values.ingress.enabled -}}
{{- $fullName := include "fullname" . -}}
apiVersion: {{ include "ingressVersion" . }}
kind: Ingress
metadata:
  name: {{ $fullName }}
  {{- with .Values.ingress.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .Values.ingress.tls }}
  tls: {{- tpl (toYaml .) $ | nindent 4 }}
  {{- end }}
  rules:
    {{- range .Values.ingress.hosts }}
    - host: {{ tpl (.host | toString) $ | quote }}
      http:
        paths:
          {{- range .paths | default (list (dict "path" "/")) }}
          - path: {{ .path }}
            pathType: {{ .pathType | default "Prefix" }}
            backend: {service: {name: {{ $fullName }}, port: {number: {{ $.Values.service.port | default 80 | int }}}}}
          {{- end }}
    {{- end }}
{{- end }}
"#,
    r#"      containers:
        - name: {{ .Chart.Name }}
          image: {{ include "image" (dict "image" .Values.image "global" .Values.global "chart" .Chart) | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy | default (ternary "Always" "IfNotPresent" (eq (.Values.image.tag | toString) "latest")) }}
          {{- if .Values.env }}
          env: {{- include "env" .Values.env | indent 12 }}
          {{- end }}
          {{- if .Values.resources }}
          resources: {{- toYaml .Values.resources | nindent 12 }}
          {{- else if ne .Values.preset "none" }}
          resources: {{- include "resources" (dict "type" (.Values.preset | default "nano")) | nindent 12 }}
          {{- end }}
{{- include "pullSecrets" . | indent 6 }}
"#,
    r#"data:
{{- range $key, $value := .Values.config }}
  {{ $key | quote }}: {{ if kindIs "string" $value }}{{ tpl $value $ | quote }}{{ else }}{{ $value | toJson | squote }}{{ end }}
{{- end }}
  all.yaml: |-
    {{- tpl (toYaml .Values.config) . | nindent 4 }}
  all.toml: |
{{ toToml (.Values.config | default dict) | indent 4 }}
  sum: {{ .Values.config | toString | sha256sum | trunc 12 }}
"#,
    r#"{{- $defaults := dict "a" 1 "b" (dict "c" (list 1 2) "d" "e") }}
{{- $config := mergeOverwrite (deepCopy $defaults) (.Values.config | default dict) }}
{{- $_ := set $config "extra" (omit .Values.service "ports") }}
{{- $_ = unset $config "a" }}
config: {{ $config | toJson }}
keys: {{ keys $config | sortAlpha | join "," }}
picked: {{ pick $config "b" "extra" "none" | toYaml | b64enc }}
dug: {{ dig "b" "c" "nothing" $config }}
"#,
    r#"{{- range $i := until (int (.Values.replicas | default 2)) }}
{{- if gt $i 4 }}{{ break }}{{ end }}
{{- if eq (mod $i 2) 1 }}{{ continue }}{{ end }}
- {{ include "fullname" $ }}-{{ $i }}.{{ include "name" $ }}-headless.{{ $.Release.Namespace }}.svc.cluster.local
{{- end }}
count: {{ .Values.replicas }} {{ int .Values.replicas }} {{ .Values.replicas | int64 | mul 2 }} {{ .Values.replicas | toString | atoi }} {{ add .Values.replicas 1 }}
"#,
    r#"metadata:
  annotations:
    checksum/config: {{ include "labels" . | sha256sum }}
    {{- if .Values.podAnnotations }}
    {{- include "render" (dict "value" .Values.podAnnotations "context" $) | nindent 4 }}
    {{- end }}
  labels: {{- include "merged" (dict "values" (list .Values.commonLabels .Values.podAnnotations) "context" $) | nindent 4 }}
"#,
    r#"{{ include "storageClass" (dict "persistence" .Values.persistence "global" .Values.global) }}
accessModes:
{{- if not (empty .Values.persistence.accessModes) }}
{{- range .Values.persistence.accessModes }}
  - {{ . | quote }}
{{- end }}
{{- else }}
  - {{ .Values.persistence.accessMode | default "ReadWriteOnce" | quote }}
{{- end }}
size: {{ .Values.persistence.size | default "8Gi" | quote }}
{{- if or .Values.persistence.enabled (not (hasKey .Values.persistence "enabled")) }}
enabled: {{ .Values.persistence.enabled | default true }}
{{- end }}
"#,
    r#"{{- with .Values.tolerations }}
tolerations:
{{ toYaml . | indent 2 }}
{{- end }}
{{- $affinity := coalesce .Values.affinity (.Values.global).affinity (dict "nodeAffinity" "none") }}
affinity: {{ $affinity | toPrettyJson | nindent 2 }}
{{- if (.Values.affinity).podAntiAffinity }}{{ with $.Values.affinity }}{{ .podAntiAffinity | quote }}{{ end }}{{ end }}
"#,
    r#"{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "fullname" .) }}
{{- $password := "" }}
{{- if $secret }}{{ $password = index $secret.data "password" }}{{ else }}{{ $password = .Values.password | default "fixed" | toString | b64enc }}{{ end }}
password: {{ $password | quote }}
url: {{ printf "postgresql://%s:%v@%s:%d/%s" "user" .Values.password (include "fullname" .) (int .Values.service.port) (.Values.nameOverride | default "db") }}
host: {{ (split ":" (.Values.host | default "example.com:443"))._0 }} {{ splitList "." (.Values.host | default "a.b") | last }} {{ regexReplaceAll "[^a-z0-9-]+" (.Values.host | default "X_y" | lower) "-" | trimAll "-" }}
"#,
    r#"{{- include "validate" . }}
{{- if .Values.required }}
needed: {{ required (printf "%s is required" "image.repository") .Values.image.repository }}
{{- end }}
{{- if and .Values.ingress .Values.ingress.enabled (gt (len .Values.ingress.hosts) 0) }}
first: {{ (first .Values.ingress.hosts).host | default "none" | quote }} {{ index .Values.ingress.hosts 0 | toYaml | quote }}
{{- end }}
{{- if (((.Values.global).deep).deeper).flag }}deep{{ end }}
{{- if not (eq (toString .Values.replicas) "<nil>") }} replicas: {{ .Values.replicas | quote }}{{ end }}
"#,
    r#"{{- range $name, $spec := .Values.extra }}
{{- $merged := merge (dict "name" $name) (kindIs "map" $spec | ternary $spec dict) }}
---
{{ tpl (toYaml $merged) $ }}
{{- end }}
{{- range tuple "a" "b" }}
{{ . }}: {{ $.Files.Get (printf "%s.txt" .) | quote }}
{{- end }}
{{ ($.Files.Glob "conf/*").AsConfig | indent 2 }}
{{- range $path, $_ := $.Files.Glob "**" }}
{{ base $path }}: {{ $.Files.Get $path | b64enc }}
{{- end }}
"#,
    r#"args:
  {{- range $key, $value := .Values.extraArgs }}
  {{- if not (kindIs "invalid" $value) }}
  {{- if kindIs "slice" $value }}
  {{- range $value }}
  - --{{ $key }}={{ tpl (toString .) $ }}
  {{- end }}
  {{- else if eq ($value | quote | len) 2 }}
  - --{{ $key }}
  {{- else }}
  - --{{ $key }}={{ $value }}
  {{- end }}
  {{- end }}
  {{- end }}
  - --port={{ .Values.service.port | default 8080 | int }}
  - --ratio={{ .Values.ratio }} {{ .Values.ratio | float64 | mulf 2.5 }} {{ .Values.ratio | quote }} {{ printf "%.2f" (float64 .Values.ratio) }} {{ round .Values.ratio 1 }} {{ ceil .Values.ratio }}
"#,
];

/// A text that a chart's values may hold, with a template in it at times.
fn text(r: &mut Random) -> Value {
    json!(match r.below(8) {
        0 => "{{ .Release.Name }}-x".to_owned(),
        1 => "{{ include \"name\" . }}".to_owned(),
        2 => "line one\nline two: {{ .Values.replicas }}\n".to_owned(),
        3 => "{{ .Values.missing }}".to_owned(),
        4 => texts::word(r),
        _ => r
            .pick(&["a", "ghcr.io", "example.com", "1.2.3", "latest", "-", "10Gi", "true", "", "none"])
            .to_owned(),
    })
}

fn texts_of(r: &mut Random) -> Value {
    let names = ["prometheus.io/scrape", "team", "a-b", "log-level", "nested"];
    let entries = (0..r.below(4)).map(|_| {
        let name = r.pick(&names).to_owned();
        (name, if r.chance(80) { text(r) } else { value(r, 2) })
    });
    Value::Object(entries.collect())
}

/// An entry, unless it is left out; now and then it is something else altogether.
fn put(r: &mut Random, map: &mut Map<String, Value>, name: &str, make: impl FnOnce(&mut Random) -> Value) {
    match r.below(20) {
        0..=2 => {}
        3 => _ = map.insert(name.to_owned(), value(r, 2)),
        _ => {
            let made = make(r);
            map.insert(name.to_owned(), made);
        }
    }
}

fn table(r: &mut Random, names: &[&str]) -> Value {
    let mut map = Map::new();
    for name in names {
        put(r, &mut map, name, |r| match *name {
            "enabled" => json!(r.chance(60)),
            "port" | "nodePort" => json!(80 + r.below(9000)),
            "ports" => {
                Value::Array((0..r.below(3)).map(|_| table(r, &["port", "name", "nodePort"])).collect())
            }
            "hosts" => Value::Array((0..r.below(3)).map(|_| table(r, &["host", "paths"])).collect()),
            "paths" => Value::Array((0..r.below(3)).map(|_| table(r, &["path", "pathType"])).collect()),
            "type" => json!(r.pick(&["ClusterIP", "NodePort", "LoadBalancer"])),
            "annotations" | "nested" => texts_of(r),
            "tls" | "accessModes" | "imagePullSecrets" => {
                Value::Array((0..r.below(3)).map(|_| text(r)).collect())
            }
            "deep" => json!({"deeper": {"flag": r.chance(50)}}),
            "affinity" => json!({"podAntiAffinity": {"x": text(r)}}),
            _ => text(r),
        });
    }
    Value::Object(map)
}

fn values(r: &mut Random) -> Value {
    let mut map = Map::new();
    for name in ["nameOverride", "fullnameOverride", "host", "password", "kubeVersion"] {
        if r.chance(30) {
            put(r, &mut map, name, text);
        }
    }
    let tables: &[(&str, &[&str])] = &[
        ("image", &["registry", "repository", "tag", "digest", "pullPolicy"]),
        ("service", &["type", "port", "ports", "annotations"]),
        ("ingress", &["enabled", "annotations", "hosts", "tls"]),
        ("persistence", &["enabled", "storageClass", "accessModes", "size"]),
        ("global", &["imageRegistry", "imagePullSecrets", "storageClass", "deep", "affinity"]),
        ("resources", &["limits", "requests"]),
        ("affinity", &["podAntiAffinity", "nested"]),
    ];
    for (name, names) in tables {
        put(r, &mut map, name, |r| table(r, names));
    }
    for name in ["commonLabels", "podAnnotations", "env", "config", "extraArgs", "extra"] {
        put(r, &mut map, name, texts_of);
    }
    put(r, &mut map, "replicas", |r| json!(r.below(80)));
    put(r, &mut map, "ratio", |r| json!(r.float()));
    put(r, &mut map, "preset", |r| json!(r.pick(&["nano", "small", "none", "huge"])));
    put(r, &mut map, "tolerations", |r| Value::Array((0..r.below(3)).map(|_| texts_of(r)).collect()));
    put(r, &mut map, "imagePullSecrets", |r| json!([text(r), {"name": text(r)}]));
    Value::Object(map)
}

pub fn case(r: &mut Random) -> Case {
    let blocks = |texts: Vec<&str>| {
        let mut whole = Part::new(Kind::Block);
        for text in texts {
            whole.part(Part::leaf(Kind::Block, text));
        }
        whole
    };
    let manifests: Vec<&str> = (0..1 + r.below(3)).map(|_| r.pick(MANIFESTS)).collect();
    Case { template: blocks(manifests), helpers: blocks(HELPERS.to_vec()), values: values(r) }
}
