{{/* The Service of a release: dict "root" $ "ports" (list (dict "name" "redis" "port" 6379)) */}}
{{- define "common.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "common.metadata" (dict "root" .root) | nindent 2 }}
spec:
  type: {{ .root.Values.service.type }}
  selector:
    {{- include "common.selectorLabels" .root | nindent 4 }}
  ports:
    {{- include "common.servicePorts" .ports | nindent 4 }}
{{- end -}}

{{/* The headless Service that gives the pods of a StatefulSet their names. */}}
{{- define "common.headlessService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "common.metadata" (dict "root" .root "suffix" "-headless") | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "common.selectorLabels" .root | nindent 4 }}
  ports:
    {{- include "common.servicePorts" .ports | nindent 4 }}
{{- end -}}

{{/* ports of a Service; a container port of the same name is the target. */}}
{{- define "common.servicePorts" -}}
{{- range $i, $port := . -}}
{{- if $i }}
{{ end -}}
- name: {{ $port.name }}
  port: {{ $port.port }}
  targetPort: {{ $port.name }}
{{- end -}}
{{- end -}}

{{/* The volumeClaimTemplate `data`; nothing where persistence is off. */}}
{{- define "common.claimTemplates" -}}
{{- if .Values.persistence.enabled -}}
volumeClaimTemplates:
  - metadata:
      name: data
      labels:
        {{- include "common.selectorLabels" . | nindent 8 }}
    spec:
      {{- include "common.claimSpec" . | nindent 6 }}
{{- end -}}
{{- end -}}

{{/* spec of the claim for the data. */}}
{{- define "common.claimSpec" -}}
accessModes: [{{ .Values.persistence.accessMode }}]
{{- if .Values.persistence.storageClass }}
storageClassName: {{ .Values.persistence.storageClass | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.persistence.size }}
{{- end -}}

{{/* Where the pods are put, and what they may use: values that every chart has. */}}
{{- define "common.podSettings" -}}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
