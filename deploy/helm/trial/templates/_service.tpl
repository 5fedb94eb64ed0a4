{{/* Headless: KEDA wants to know every NATS server by name. */}}
{{- define "trial.service" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .fullname }}
  labels: {{- include "trial.labels" . | nindent 4 }}
spec:
  clusterIP: None
  selector: {{- include "trial.selector" . | nindent 4 }}
  ports:
    {{- range $port, $number := .values.ports }}
    - {name: {{ $port }}, port: {{ $number }}, targetPort: {{ $port }}}
    {{- end }}
{{- end }}
