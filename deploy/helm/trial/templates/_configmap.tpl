{{- define "trial.configMap" }}
{{- with .values.config }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $.fullname }}
  labels: {{- include "trial.labels" $ | nindent 4 }}
data: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
