{{/* The migration: a plain Job, named by a hash of its Pod, because a Job cannot be changed. It waits for the database and may
     run twice; what needs the new schema stays unready meanwhile. */}}
{{- define "common.migration" -}}
{{- $labels := merge (dict "app.kubernetes.io/component" "migrate") (include "common.labels" . | fromYaml) }}
{{- $secret := tpl .Values.migrate.secretName . }}
{{- $template := include "common.migrationTemplate" (dict "root" . "labels" $labels "secrets" (compact (list $secret))) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "common.fullname" . }}-migrate-{{ sha256sum $template | trunc 8 }}
  labels: {{- toYaml $labels | nindent 4 }}
spec:
  backoffLimit: 30
  template: {{- $template | nindent 4 }}
{{- end }}

{{- define "common.migrationTemplate" -}}
metadata:
  labels: {{- toYaml .labels | nindent 4 }}
spec:
  restartPolicy: OnFailure
  {{- include "common.pod" (dict
    "root" .root "role" "migrate" "resources" .root.Values.migrate.resources "secrets" .secrets) | nindent 2 }}
{{- end }}
