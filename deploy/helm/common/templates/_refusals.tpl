{{/* Values that contradict each other: each sentence says what to do. */}}
{{- define "common.refusals" -}}
{{- with .Values.global -}}
{{- if and (ne .gateway.kind "none") (not .publicUrl) -}}
{{- fail (printf "global.gateway.kind is %s: set global.publicUrl, whose host the routes are for" .gateway.kind) -}}
{{- end -}}
{{- if and (eq .gateway.kind "httproute") (not .gateway.parentRefs) -}}
{{- fail "global.gateway.kind is httproute: name the Gateway in global.gateway.parentRefs" -}}
{{- end -}}
{{- if .networkPolicy.enabled -}}
{{- include "common.policyRefusals" . -}}
{{- end -}}
{{- end -}}
{{- if and .Values.global.networkPolicy.enabled (has "objectStore" .Values.needs) (not (or (include "common.filesClaim" .) .Values.global.networkPolicy.to.objectStore.peers)) -}}
{{- fail (printf "%s has nowhere to keep files: say in global.networkPolicy.to.objectStore.peers where its object store runs, or name a ReadWriteMany claim in filesClaim" .Chart.Name) -}}
{{- end -}}
{{- range $role, $values := .Values.roles -}}
{{- if dig "autoscaling" "enabled" false $values -}}
{{- include "common.scalingRefusals" (dict "root" $ "role" $role "scaling" $values.autoscaling "values" $values) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "common.policyRefusals" -}}
{{- if and (ne .gateway.kind "none") (not .networkPolicy.from.gateway) -}}
{{- fail "the NetworkPolicies would keep the gateway out: say in global.networkPolicy.from.gateway where its Pods run, or set global.networkPolicy.enabled=false" -}}
{{- end -}}
{{- if and .monitoring.enabled (not .networkPolicy.from.monitoring) -}}
{{- fail "the NetworkPolicies would keep Prometheus out: say in global.networkPolicy.from.monitoring where its Pods run, or set global.networkPolicy.enabled=false" -}}
{{- end -}}
{{- if and .settings.OTEL_EXPORTER_OTLP_ENDPOINT (not .networkPolicy.to.tracing.peers) -}}
{{- fail "the NetworkPolicies would keep traces in: say in global.networkPolicy.to.tracing.peers where the collector runs, or leave OTEL_EXPORTER_OTLP_ENDPOINT empty" -}}
{{- end -}}
{{- range $server := list "postgresql" "nats" -}}
{{- $peers := (get $.networkPolicy.to $server).peers -}}
{{- if and $.trial.enabled $peers -}}
{{- fail (printf "global.trial.enabled brings its own servers: leave global.networkPolicy.to.%s.peers empty, or set global.trial.enabled=false" $server) -}}
{{- end -}}
{{- if not (or $.trial.enabled $peers) -}}
{{- fail (printf "the NetworkPolicies would allow no way to %s: say in global.networkPolicy.to.%s.peers where it runs, or set global.networkPolicy.enabled=false; to try Highsea with servers of its own set global.trial.enabled=true" $server $server) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "common.scalingRefusals" -}}
{{- $where := printf "roles.%s.autoscaling" .role -}}
{{- if gt (int .scaling.min) (int .scaling.max) -}}
{{- fail (printf "%s: min %v is above max %v: lower min or raise max" $where .scaling.min .scaling.max) -}}
{{- end -}}
{{- if and (eq (int .scaling.min) 0) (not .scaling.queue) -}}
{{- fail (printf "%s.min is 0: only a role with a queue can wake up again, set at least 1" $where) -}}
{{- end -}}
{{- if and (include "common.byQueue" (list .root .values)) (not (include "common.natsEndpoint" .root)) -}}
{{- fail (printf "KEDA scales %s: set global.keda.natsEndpoint to the monitoring port of NATS (a headless Service, port 8222), or global.keda.mode=never" .role) -}}
{{- end -}}
{{- end }}
