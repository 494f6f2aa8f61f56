{{- define "redis.secretName" -}}
{{- include "common.secretName" (dict "root" . "existingSecret" .Values.redis.existingSecret) -}}
{{- end -}}

{{- define "redis.conf" -}}
{{- $own := dict
  "bind" "* -::*"
  "dir" "/data"
  "dbfilename" "dump.rdb"
  "save" "900 1 300 10 60 10000"
  "appendonly" "no"
  "maxmemory" "256mb"
  "maxmemory-policy" "noeviction" -}}
{{- range $key, $value := merge (dict) .Values.redis.config $own }}
{{ $key }} {{ $value }}
{{- end }}
{{- end -}}
