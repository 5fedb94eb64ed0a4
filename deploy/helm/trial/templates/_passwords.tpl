{{/* What a Secret of the release holds under a key, else something new: (list root secret key new). Upgrades keep it so. */}}
{{- define "trial.kept" -}}
{{- $root := index . 0 -}}
{{- $secret := lookup "v1" "Secret" $root.Release.Namespace (printf "%s-%s" (include "common.instance" $root) (index . 1)) -}}
{{- dig "data" (index . 2) "" $secret | b64dec | default (index . 3) -}}
{{- end }}

{{/* The servers' passwords. They begin with a letter, or NATS would read some as numbers. */}}
{{- define "trial.passwords" -}}
{{- $names := list "POSTGRES_PASSWORD" "NATS_PASSWORD_ADMIN" "VALKEY_PASSWORD" -}}
{{- range include "trial.services" . | fromJsonArray -}}
{{- $names = concat $names (list (printf "POSTGRES_PASSWORD_%s" (upper .)) (printf "NATS_PASSWORD_%s" (upper .))) -}}
{{- end -}}
{{- range $names }}
{{ . }}: {{ include "trial.kept" (list $ "trial" . (printf "p%s" (randAlphaNum 31))) }}
{{- end }}
{{- end }}

{{- define "trial.secret" }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ include "common.instance" .root }}-{{ .name }}
  labels: {{- include "trial.labels" (dict "root" .root "name" .name) | nindent 4 }}
stringData: {{- toYaml .data | nindent 2 }}
{{- end }}
