{{/* The installation: all its charts share this name. */}}
{{- define "common.instance" -}}
{{- $name := .Values.global.instance | default .Release.Name -}}
{{- if gt (len $name) 32 -}}
{{- fail (printf "%s is too long: give the release, or global.instance, a name of at most 32 characters" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{/* The beginning of the names of a service's objects. */}}
{{- define "common.fullname" -}}
{{ include "common.instance" . }}-{{ .Chart.Name }}
{{- end }}

{{/* Selector of all Pods of this chart's service. */}}
{{- define "common.selector" -}}
app.kubernetes.io/name: highsea-{{ .Chart.Name }}
app.kubernetes.io/instance: {{ include "common.instance" . }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "common.labels" -}}
{{ include "common.selector" . }}
app.kubernetes.io/part-of: highsea
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ include "common.version" . | trunc 63 | trimAll "-._" | quote }}
{{- end }}

{{/* A NetworkPolicy's peer: the Pods of these services, (list root names). */}}
{{- define "common.podsOf" -}}
podSelector:
  matchLabels:
    app.kubernetes.io/instance: {{ include "common.instance" (first .) }}
  matchExpressions:
    - key: app.kubernetes.io/name
      operator: In
      values:
        {{- range last . }}
        - highsea-{{ . }}
        {{- end }}
{{- end }}

{{/* The Secret of this service. */}}
{{- define "common.secretName" -}}
{{ .Values.secretName | default (include "common.fullname" .) }}
{{- end }}

{{/* The claim mounted at /var/lib/highsea; empty: none. The trial has one for each service that keeps files. */}}
{{- define "common.filesClaim" -}}
{{- if hasKey .Values "filesClaim" -}}
{{ .Values.filesClaim | default (ternary (printf "%s-%s-files" (include "common.instance" .) .Chart.Name) "" .Values.global.trial.enabled) }}
{{- end -}}
{{- end }}
