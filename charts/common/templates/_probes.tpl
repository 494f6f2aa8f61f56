{{/*
The three probes of a container: dict "root" $ "alive" <handler> "ready" <handler>.
The startup probe asks what readiness asks, for as long as a slow first start may take, and often: a release that comes back is
ready that much sooner. Afterwards both ask less often, for a probe that runs in the container costs a process each time.
*/}}
{{- define "common.probes" -}}
startupProbe:
  {{- toYaml .ready | nindent 2 }}
  periodSeconds: {{ .root.Values.probes.startupPeriodSeconds }}
  timeoutSeconds: {{ .root.Values.probes.timeoutSeconds }}
  failureThreshold: {{ .root.Values.probes.startupFailureThreshold }}
readinessProbe:
  {{- toYaml .ready | nindent 2 }}
  periodSeconds: {{ .root.Values.probes.periodSeconds }}
  timeoutSeconds: {{ .root.Values.probes.timeoutSeconds }}
  failureThreshold: 3
livenessProbe:
  {{- toYaml .alive | nindent 2 }}
  periodSeconds: {{ mul 3 .root.Values.probes.periodSeconds }}
  timeoutSeconds: {{ .root.Values.probes.timeoutSeconds }}
  failureThreshold: 6
{{- end -}}
