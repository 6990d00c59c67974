{{- define "base.name" -}}
{{ printf "%s-%s" .Release.Name (dig "base" "base" "suffix" "none" .Values.AsMap) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "base.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- define "base.merge" -}}
{{- $top := first . -}}
{{- $over := fromYaml (include (index . 1) $top) | default dict -}}
{{- $base := fromYaml (include (index . 2) $top) | default dict -}}
{{- toYaml (merge $over $base) -}}
{{- end }}
