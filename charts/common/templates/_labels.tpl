{{/* What a workload and its Services select by. */}}
{{- define "common.selectorLabels" -}}
app.kubernetes.io/name: {{ include "common.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "common.labels" -}}
{{ include "common.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{/* metadata of an object: dict "root" $ "suffix" "-headless" */}}
{{- define "common.metadata" -}}
name: {{ include "common.fullname" .root }}{{ .suffix | default "" }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "common.labels" .root | nindent 2 }}
{{- end -}}

{{/* Labels and annotations of a pod; the checksum changes only when the configuration does. */}}
{{- define "common.podMetadata" -}}
labels:
  {{- include "common.selectorLabels" .root | nindent 2 }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- $annotations := .root.Values.podAnnotations | default dict -}}
{{- if .config }}
{{- $annotations = merge (dict "checksum/config" (.config | sha256sum)) $annotations -}}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
