{{- define "wordpress.secretName" -}}
{{- include "common.secretName" (dict "root" . "existingSecret" .Values.wordpress.existingSecret) -}}
{{- end -}}

{{- define "wordpress.claimName" -}}
{{- .Values.persistence.existingClaim | default (printf "%s-content" (include "common.fullname" .)) -}}
{{- end -}}
