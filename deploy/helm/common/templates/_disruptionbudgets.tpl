{{/* A PodDisruptionBudget per role that always has more than one Pod; for a single one it would only stop drains. */}}
{{- define "common.disruptionBudgets" -}}
{{- range $role, $values := .Values.roles }}
{{- $fewest := ternary (dig "autoscaling" "min" 1 $values) $values.replicas (dig "autoscaling" "enabled" false $values) }}
{{- if gt (int $fewest) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "common.fullname" $ }}-{{ $role }}
  labels: {{- include "common.labels" $ | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "common.selector" $ | nindent 6 }}
      app.kubernetes.io/component: {{ $role }}
{{- end }}
{{- end }}
{{- end }}
