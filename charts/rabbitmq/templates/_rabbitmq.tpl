{{- define "rabbitmq.secretName" -}}
{{- include "common.secretName" (dict "root" . "existingSecret" .Values.rabbitmq.existingSecret) -}}
{{- end -}}

{{- define "rabbitmq.conf" -}}
{{- $own := dict
  "log.console" "true"
  "log.file" "false"
  "vm_memory_high_watermark.relative" "0.6"
  "disk_free_limit.absolute" "200MB" -}}
{{- range $key, $value := merge (dict) .Values.rabbitmq.config $own }}
{{ $key }} = {{ $value }}
{{- end }}
{{- end -}}
