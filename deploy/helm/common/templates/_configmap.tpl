{{/* Plain settings: the addresses of the services it calls, then those of all, then its own. */}}
{{- define "common.configMap" -}}
{{- $settings := dict "PUBLIC_URL" .Values.global.publicUrl }}
{{- range get (include "common.calls" . | fromYaml) .Chart.Name }}
{{- $_ := set $settings (printf "%s_GRPC" (upper .)) (printf "dns:///%s-%s-grpc:9000" (include "common.instance" $) .) }}
{{- end }}
{{- $settings = mergeOverwrite $settings (deepCopy .Values.global.settings) (deepCopy .Values.settings) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "common.fullname" . }}
  labels: {{- include "common.labels" . | nindent 4 }}
data:
  {{- range $name, $value := $settings }}
  {{- if $value }}
  {{ $name }}: {{ $value | quote }}
  {{- end }}
  {{- end }}
{{- end }}
