{{/* Every object of a service. */}}
{{- define "common.all" -}}
{{- include "common.refusals" . -}}
{{- range list "serviceAccount" "configMap" "migration" "deployments" "services" "httpRoutes" "ingresses" "autoscalers"
  "scaledObjects" "disruptionBudgets" "networkPolicy" "serviceMonitor" -}}
{{- include (printf "common.%s" .) $ }}
{{- end }}
{{- end }}
