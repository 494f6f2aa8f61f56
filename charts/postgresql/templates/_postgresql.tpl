{{- define "postgresql.secretName" -}}
{{- include "common.secretName" (dict "root" . "existingSecret" .Values.postgresql.existingSecret) -}}
{{- end -}}

{{- define "postgresql.conf" -}}
{{- $own := dict
  "listen_addresses" "*"
  "password_encryption" "scram-sha-256"
  "default_text_search_config" "pg_catalog.english"
  "max_connections" "100"
  "shared_buffers" "128MB"
  "log_checkpoints" "on" -}}
{{- range $key, $value := merge (dict) .Values.postgresql.config $own }}
{{ $key }} = '{{ $value | toString | replace "'" "''" }}'
{{- end }}
{{- end -}}
