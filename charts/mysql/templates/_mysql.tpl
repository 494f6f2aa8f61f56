{{- define "mysql.secretName" -}}
{{- include "common.secretName" (dict "root" . "existingSecret" .Values.mysql.existingSecret) -}}
{{- end -}}

{{- define "mysql.cnf" -}}
{{- $own := dict
  "character-set-server" "utf8mb4"
  "max_connections" "150"
  "innodb_buffer_pool_size" "128M"
  "max_allowed_packet" "64M" -}}
[mysqld]
{{- range $key, $value := merge (dict) .Values.mysql.config $own }}
{{ $key }} = {{ $value }}
{{- end }}
{{- end -}}
