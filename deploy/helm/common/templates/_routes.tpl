{{/* The service's slice of deploy/routes.yaml: for each role that answers REST, its paths. */}}
{{- define "common.routes" -}}
{{- .Files.Get "routes.yaml" -}}
{{- end }}

{{- define "common.routeMetadata" -}}
name: {{ include "common.fullname" .root }}-{{ .role }}
labels: {{- include "common.labels" .root | nindent 2 }}
{{- with merge (deepCopy .root.Values.routeAnnotations) .root.Values.global.gateway.annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "common.publicHost" -}}
{{- (urlParse .Values.global.publicUrl).hostname -}}
{{- end }}
