{{/* What helm's own tools look for. */}}
{{- define "qubesec.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* By what the Pods are selected. */}}
{{- define "qubesec.selector" -}}
app.kubernetes.io/name: qubesec
app.kubernetes.io/component: operator
{{- end }}

{{/* The files are links into config, which not every copy of a checkout has: without them most would be missing. */}}
{{- define "qubesec.require_files" -}}
{{- range list "files/crd/quantumcertificates.yaml" "files/rbac/role.yaml" "files/webhook/service.yaml" }}
{{- if not ($.Files.Get .) }}
{{- fail (printf "the chart has no %s: its files are links into config, which this copy has lost; package it with helm package where the links are, or use config/default" .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The objects of a file of this chart: .file of .root, in the release's namespace, with helm's labels, and with what
.more has for each of them. */}}
{{- define "qubesec.objects" -}}
{{- $labels := include "qubesec.labels" .root | fromYaml }}
{{- $more := .more | default dict }}
{{- $text := .root.Files.Get .file | replace "qubesec-system" .root.Release.Namespace }}
{{- range regexSplit "(?m)^---$" $text -1 }}
---
{{ mergeOverwrite (fromYaml .) (dict "metadata" (dict "labels" $labels)) (deepCopy $more) | toYaml }}
{{- end }}
{{- end }}

{{- define "qubesec.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}
