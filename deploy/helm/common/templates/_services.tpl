{{/* A Service per role that answers REST; one for gRPC, and one for gRPC in bulk, headless so that clients know every replica;
     one for Prometheus. */}}
{{- define "common.services" -}}
{{- range $role, $_ := .Values.roles }}
{{- if hasKey (include "common.routes" $ | fromYaml) $role }}
{{- include "common.portService" (dict "root" $ "name" $role "role" $role
  "port" (dict "name" "http" "port" 8000 "targetPort" "http" "appProtocol" "http")) }}
{{- end }}
{{- end }}
{{- if include "common.callers" . | fromJsonArray }}
{{- include "common.portService" (dict "root" . "name" "grpc" "role" "serve" "headless" true
  "port" (dict "name" "grpc" "port" 9000 "targetPort" "grpc" "appProtocol" "kubernetes.io/h2c")) }}
{{- end }}
{{- if hasKey .Values.roles "bulk" }}
{{- include "common.portService" (dict "root" . "name" "bulk" "role" "bulk" "headless" true
  "port" (dict "name" "grpc" "port" 9000 "targetPort" "grpc" "appProtocol" "kubernetes.io/h2c")) }}
{{- end }}
{{- include "common.portService" (dict "root" . "name" "metrics" "headless" true "unready" true
  "port" (dict "name" "metrics" "port" 9100 "targetPort" "metrics" "appProtocol" "http")) }}
{{- end }}

{{/* A Service with one port, for a role or, without one, for all Pods; `unready`: also for those that are not ready. */}}
{{- define "common.portService" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "common.fullname" .root }}-{{ .name }}
  labels:
    {{- include "common.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .name }}
spec:
  {{- if .headless }}
  clusterIP: None
  {{- end }}
  {{- if .unready }}
  publishNotReadyAddresses: true
  {{- end }}
  selector:
    {{- include "common.selector" .root | nindent 4 }}
    {{- with .role }}
    app.kubernetes.io/component: {{ . }}
    {{- end }}
  ports:
    - {{ toYaml .port | nindent 6 | trim }}
{{- end }}
