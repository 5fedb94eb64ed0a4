{{/* An HPA on CPU per role that is scaled automatically, unless KEDA scales it. */}}
{{- define "common.autoscalers" -}}
{{- range $role, $values := .Values.roles }}
{{- if and (dig "autoscaling" "enabled" false $values) (not (include "common.byQueue" (list $ $values))) }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "common.fullname" $ }}-{{ $role }}
  labels: {{- include "common.labels" $ | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "common.fullname" $ }}-{{ $role }}
  minReplicas: {{ max 1 $values.autoscaling.min }}
  maxReplicas: {{ $values.autoscaling.max }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: {{ $values.autoscaling.cpu }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether KEDA scales a role by its queue, (list root values): "true" or empty. */}}
{{- define "common.byQueue" -}}
{{- $root := first . -}}
{{- $mode := $root.Values.global.keda.mode -}}
{{- $has := or (eq $mode "always") (and (eq $mode "auto") ($root.Capabilities.APIVersions.Has "keda.sh/v1alpha1")) -}}
{{- if and $has (dig "autoscaling" "queue" "" (last .)) }}true{{ end -}}
{{- end }}
