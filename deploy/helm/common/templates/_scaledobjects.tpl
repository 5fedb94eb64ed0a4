{{/* A ScaledObject per role with a queue: by what waits there and what is unacknowledged, to zero and back. The role `work`
     makes the durables, and makes them before anything is published: KEDA would take a missing one for a full queue. */}}
{{- define "common.scaledObjects" -}}
{{- range $role, $values := .Values.roles }}
{{- if and (dig "autoscaling" "enabled" false $values) (include "common.byQueue" (list $ $values)) }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "common.fullname" $ }}-{{ $role }}
  labels: {{- include "common.labels" $ | nindent 4 }}
spec:
  scaleTargetRef: {name: {{ include "common.fullname" $ }}-{{ $role }}}
  minReplicaCount: {{ $values.autoscaling.min }}
  maxReplicaCount: {{ $values.autoscaling.max }}
  pollingInterval: 10
  cooldownPeriod: 120
  triggers:
    {{- range $durable := $values.autoscaling.queue.durables }}
    - type: nats-jetstream
      metadata:
        natsServerMonitoringEndpoint: {{ include "common.natsEndpoint" $ | quote }}
        account: {{ $.Values.global.keda.natsAccount | quote }}
        stream: {{ $values.autoscaling.queue.stream | quote }}
        consumer: {{ $durable | quote }}
        lagThreshold: {{ $values.autoscaling.queue.lag | quote }}
        activationLagThreshold: "0"
    {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "common.natsEndpoint" -}}
{{- $trial := printf "%s-nats.%s.svc:8222" (include "common.instance" .) .Release.Namespace -}}
{{- .Values.global.keda.natsEndpoint | default (ternary $trial "" .Values.global.trial.enabled) -}}
{{- end }}
