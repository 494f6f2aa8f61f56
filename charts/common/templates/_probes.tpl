{{/*
The three probes of a container: dict "root" $ "alive" <handler> "ready" <handler>.
The startup probe asks what readiness asks, for as long as a slow first start may take.
*/}}
{{- define "common.probes" -}}
startupProbe:
  {{- toYaml .ready | nindent 2 }}
  periodSeconds: {{ .root.Values.probes.periodSeconds }}
  timeoutSeconds: {{ .root.Values.probes.timeoutSeconds }}
  failureThreshold: {{ .root.Values.probes.startupFailureThreshold }}
readinessProbe:
  {{- toYaml .ready | nindent 2 }}
  periodSeconds: {{ .root.Values.probes.periodSeconds }}
  timeoutSeconds: {{ .root.Values.probes.timeoutSeconds }}
  failureThreshold: 3
livenessProbe:
  {{- toYaml .alive | nindent 2 }}
  periodSeconds: 15
  timeoutSeconds: {{ .root.Values.probes.timeoutSeconds }}
  failureThreshold: 6
{{- end -}}
