{{/* An Ingress per role that answers REST, where there is no Gateway API. */}}
{{- define "common.ingresses" -}}
{{- if eq .Values.global.gateway.kind "ingress" }}
{{- range $role, $paths := include "common.routes" . | fromYaml }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{- include "common.routeMetadata" (dict "root" $ "role" $role) | nindent 2 }}
spec:
  {{- with $.Values.global.gateway.ingressClassName }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $.Values.global.gateway.tlsSecretName }}
  tls:
    - hosts: [{{ include "common.publicHost" $ }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ include "common.publicHost" $ }}
      http:
        paths:
          {{- range $type, $values := dict "Exact" $paths.exact "Prefix" $paths.prefixes }}
          {{- range $values }}
          - path: {{ . }}
            pathType: {{ $type }}
            backend:
              service:
                name: {{ include "common.fullname" $ }}-{{ $role }}
                port: {number: 8000}
          {{- end }}
          {{- end }}
{{- end }}
{{- end }}
{{- end }}
