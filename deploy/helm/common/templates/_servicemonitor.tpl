{{/* Prometheus reads every Pod of the service; alerts and dashboards know it by `service` and `role`. */}}
{{- define "common.serviceMonitor" -}}
{{- if .Values.global.monitoring.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "common.fullname" . }}
  labels:
    {{- include "common.labels" . | nindent 4 }}
    {{- with .Values.global.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "common.selector" . | nindent 6 }}
      app.kubernetes.io/component: metrics
  endpoints:
    - port: metrics
      interval: {{ .Values.global.monitoring.interval }}
      honorLabels: true
      relabelings:
        - {targetLabel: service, replacement: {{ .Chart.Name }}}
        - {targetLabel: role, sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_component]}
{{- end }}
{{- end }}
