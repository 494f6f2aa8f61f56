{{/* The chart's name, or nameOverride. */}}
{{- define "common.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* fullnameOverride, else the release name where it contains the chart's name, else <release>-<chart>. */}}
{{- define "common.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "common.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Secret the pods read: existingSecret of the application's block, or the chart's own. */}}
{{- define "common.secretName" -}}
{{- $own := printf "%s-secret" (include "common.fullname" .root) -}}
{{- default $own .existingSecret -}}
{{- end -}}

{{/* repository:tag; the tag defaults to the chart's appVersion. */}}
{{- define "common.image" -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}

{{/* A password that must be given: nothing is made up at render time, because each render would make another one. */}}
{{- define "common.password" -}}
{{- if not .value -}}
{{- fail (printf "%s is required: set it, or name a Secret with the key %s in %s" .name .key .existing) -}}
{{- end -}}
{{- .value -}}
{{- end -}}
