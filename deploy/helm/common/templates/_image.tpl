{{/* An image by digest or tag, from a dictionary with registry, repository, tag and digest. */}}
{{- define "common.imageReference" -}}
{{- if or (eq .tag "latest") (not (or .tag .digest)) -}}
{{- fail (printf "image %s: set a tag that never moves (global.image.tag or image.tag; it is %q), or image.digest" .repository .tag) -}}
{{- end -}}
{{- with .registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end -}}
{{- end }}

{{/* The image of this chart's service. */}}
{{- define "common.image" -}}
{{- $global := .Values.global.image -}}
{{- include "common.imageReference" (dict
  "registry" $global.registry
  "repository" (.Values.image.repository | default (printf "highsea/%s" .Chart.Name))
  "tag" (.Values.image.tag | default $global.tag)
  "digest" .Values.image.digest) -}}
{{- end }}

{{- define "common.version" -}}
{{- $image := .Values.image | default dict -}}
{{ $image.tag | default .Values.global.image.tag | default .Chart.AppVersion }}
{{- end }}
