{{/* Plain settings: the addresses of the services it calls, then those of all, then its own; empty ones are left to the
     service's default. */}}
{{- define "common.configMap" -}}
{{- $settings := dict "PUBLIC_URL" .Values.global.publicUrl }}
{{- range get (include "common.calls" . | fromYaml) .Chart.Name }}
{{- $_ := set $settings (printf "%s_GRPC" (upper .)) (printf "dns:///%s-%s-grpc:9000" (include "common.instance" $) .) }}
{{- end }}
{{- range dig .Chart.Name (list) (include "common.bulkCalls" . | fromYaml) }}
{{- $_ := set $settings (printf "%s_BULK_GRPC" (upper .)) (printf "dns:///%s-%s-bulk:9000" (include "common.instance" $) .) }}
{{- end }}
{{- $settings = mergeOverwrite $settings (deepCopy .Values.global.settings) (deepCopy .Values.settings) }}
{{- range keys $settings }}
{{- if not (get $settings .) }}{{ $_ := unset $settings . }}{{ end }}
{{- end }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "common.fullname" . }}
  labels: {{- include "common.labels" . | nindent 4 }}
data: {{- toYaml $settings | nindent 2 }}
{{- end }}
