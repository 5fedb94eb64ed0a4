{{/* A server of the trial, (list root name values): one Pod with its claim, a headless Service, a NetworkPolicy.
     values: ports (name → number), probe, container (what differs), config (file → content), mounts (name → path), storage.
     They ask for no CPU: new Pods of the services must not keep them from coming back on a small node. */}}
{{- define "trial.server" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- $values := index . 2 -}}
{{- $server := dict "root" $root "name" $name "fullname" (printf "%s-%s" (include "common.instance" $root) $name) "values" $values -}}
{{- range list "statefulSet" "service" "configMap" "networkPolicy" }}
{{- include (printf "trial.%s" .) $server }}
{{- end }}
{{- end }}

{{- define "trial.selector" -}}
app.kubernetes.io/name: highsea-{{ .name }}
app.kubernetes.io/instance: {{ include "common.instance" .root }}
app.kubernetes.io/component: trial
{{- end }}

{{- define "trial.labels" -}}
{{ include "trial.selector" . }}
app.kubernetes.io/part-of: highsea
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion }}
{{- end }}
