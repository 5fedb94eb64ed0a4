{{/* The services may ask a server of the trial, KEDA may read the queues of NATS; the server itself asks nobody. */}}
{{- define "trial.networkPolicy" }}
{{- $policy := .root.Values.global.networkPolicy }}
{{- if $policy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .fullname }}
  labels: {{- include "trial.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "trial.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - {{ include "common.podsOf" (list .root (include "trial.services" . | fromJsonArray)) | nindent 10 | trim }}
      ports: [{port: {{ .values.ports.main }}}]
    {{- with .values.ports.monitoring }}
    - from: {{- toYaml $policy.from.keda | nindent 8 }}
      ports: [{port: {{ . }}}]
    {{- end }}
  egress: []
{{- end }}
{{- end }}

{{- define "trial.services" -}}
{{ include "common.calls" . | fromYaml | keys | sortAlpha | toJson }}
{{- end }}
