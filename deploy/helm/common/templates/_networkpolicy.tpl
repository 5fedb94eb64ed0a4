{{/* What this service's Pods may be asked, and whom they may ask; nothing else. */}}
{{- define "common.networkPolicy" -}}
{{- if .Values.global.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "common.fullname" . }}
  labels: {{- include "common.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "common.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: {{- include "common.ingressRules" . | default "[]" | nindent 4 }}
  egress: {{- include "common.egressRules" . | nindent 4 }}
{{- end }}
{{- end }}

{{- define "common.ingressRules" -}}
{{- with .Values.global.networkPolicy.from.gateway }}
- from: {{- toYaml . | nindent 4 }}
  ports: [{port: 8000}]
{{- end }}
{{- with include "common.callers" . | fromJsonArray }}
- from:
    - {{ include "common.podsOf" (list $ .) | nindent 6 | trim }}
  ports: [{port: 9000}]
{{- end }}
{{- with .Values.global.networkPolicy.from.monitoring }}
- from: {{- toYaml . | nindent 4 }}
  ports: [{port: 9100}]
{{- end }}
{{- end }}

{{- define "common.egressRules" -}}
{{- with .Values.global.networkPolicy.to.dns }}
- to: {{- toYaml .peers | nindent 4 }}
  ports: [{protocol: UDP, port: {{ .port }}}, {protocol: TCP, port: {{ .port }}}]
{{- end }}
{{- with get (include "common.calls" . | fromYaml) .Chart.Name }}
- to:
    - {{ include "common.podsOf" (list $ .) | nindent 6 | trim }}
  ports: [{port: 9000}]
{{- end }}
{{- range append .Values.needs "tracing" }}
{{- include "common.egressTo" (list $ .) }}
{{- end }}
{{- end }}

{{/* The way to a server, (list root name): the trial's, or the one of global.networkPolicy.to; none where that is empty. */}}
{{- define "common.egressTo" -}}
{{- $root := first . -}}
{{- $name := last . -}}
{{- $server := get $root.Values.global.networkPolicy.to $name -}}
{{- if and $root.Values.global.trial.enabled (has $name (list "postgresql" "nats" "valkey")) }}
- to:
    - {{ include "common.podsOf" (list $root (list $name)) | nindent 6 | trim }}
  ports: [{port: {{ $server.port }}}]
{{- else if $server.peers }}
- to: {{- toYaml $server.peers | nindent 4 }}
  ports: [{port: {{ $server.port }}}]
{{- end -}}
{{- end }}
