{{/* A Deployment per role. A process drains itself when it is told to stop, so there is no preStop. */}}
{{- define "common.deployments" -}}
{{- range $role, $values := .Values.roles }}
{{- $labels := merge (dict "app.kubernetes.io/component" $role) (include "common.labels" $ | fromYaml) }}
{{- $selector := merge (dict "app.kubernetes.io/component" $role) (include "common.selector" $ | fromYaml) }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "common.fullname" $ }}-{{ $role }}
  labels: {{- toYaml $labels | nindent 4 }}
spec:
  {{- if not (dig "autoscaling" "enabled" false $values) }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  selector:
    matchLabels: {{- toYaml $selector | nindent 6 }}
  strategy:
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  template:
    metadata:
      labels: {{- toYaml $labels | nindent 8 }}
      annotations:
        checksum/config: {{ include "common.checksum" $ }}
    spec:
      terminationGracePeriodSeconds: 45
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- toYaml $selector | nindent 14 }}
        {{- end }}
      {{- include "common.affinity" $ | nindent 6 }}
      {{- include "common.pod" (dict
        "root" $ "role" $role "resources" $values.resources
        "ports" (include "common.ports" (list $ $role) | fromYaml)
        "probes" (include "common.probes" $ | fromYaml)) | nindent 6 }}
{{- end }}
{{- end }}

{{/* The ports of a role, (list root role): REST where the table of routes names it, gRPC in serve and bulk. */}}
{{- define "common.ports" -}}
{{- $root := first . -}}
{{- $role := last . -}}
{{- if hasKey (include "common.routes" $root | fromYaml) $role }}
http: 8000
{{- end }}
{{- if has $role (list "serve" "bulk") }}
grpc: 9000
{{- end }}
metrics: 9100
{{- end }}

{{- define "common.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* New Pods when the settings change, or a service is added whose key the others learn from the trial's Secrets. */}}
{{- define "common.checksum" -}}
{{ printf "%s%s" (include "common.configMap" .) (include "common.calls" .) | sha256sum }}
{{- end }}

{{/* The trial's claim is of one node, so all who read it go there. */}}
{{- define "common.affinity" -}}
{{- if and .Values.global.trial.enabled (include "common.filesClaim" .) -}}
affinity:
  podAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels: {{- include "common.selector" . | nindent 12 }}
          matchExpressions:
            - {key: app.kubernetes.io/component, operator: NotIn, values: [migrate]}
{{- end -}}
{{- end }}
