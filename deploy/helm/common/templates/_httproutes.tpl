{{/* An HTTPRoute per role that answers REST; only path types every Gateway API controller must have. */}}
{{- define "common.httpRoutes" -}}
{{- if eq .Values.global.gateway.kind "httproute" }}
{{- range $role, $paths := include "common.routes" . | fromYaml }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{- include "common.routeMetadata" (dict "root" $ "role" $role) | nindent 2 }}
spec:
  parentRefs: {{- toYaml $.Values.global.gateway.parentRefs | nindent 4 }}
  hostnames: [{{ include "common.publicHost" $ }}]
  rules:
    - matches:
        {{- range $paths.exact }}
        - path: {type: Exact, value: {{ . | quote }}}
        {{- end }}
        {{- range $paths.prefixes }}
        - path: {type: PathPrefix, value: {{ . | quote }}}
        {{- end }}
      filters:
        - type: ResponseHeaderModifier
          responseHeaderModifier:
            set:
              {{- range $name, $value := $paths.headers }}
              - {name: {{ $name }}, value: {{ $value }}}
              {{- end }}
      {{- if $paths.streams }}
      timeouts: {request: 0s}
      {{- end }}
      backendRefs:
        - {name: {{ include "common.fullname" $ }}-{{ $role }}, port: 8000}
{{- end }}
{{- end }}
{{- end }}
