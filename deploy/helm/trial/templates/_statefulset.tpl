{{/* Deleting the release deletes its claims: their passwords, in the release's Secret, go too. */}}
{{- define "trial.statefulSet" }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .fullname }}
  labels: {{- include "trial.labels" . | nindent 4 }}
spec:
  replicas: 1
  serviceName: {{ .fullname }}
  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete, whenScaled: Retain}
  selector:
    matchLabels: {{- include "trial.selector" . | nindent 6 }}
  template:
    metadata:
      labels: {{- include "trial.labels" . | nindent 8 }}
      annotations:
        checksum/config: {{ toJson .values.config | sha256sum }}
    spec:
      serviceAccountName: {{ include "common.instance" .root }}-trial
      {{- include "common.podDefaults" .root | nindent 6 }}
      securityContext: {{- include "common.podSecurity" 10001 | nindent 8 }}
      containers:
        - name: {{ .name }}
          image: {{ include "common.imageReference" (get .root.Values .name).image }}
          imagePullPolicy: {{ .root.Values.global.image.pullPolicy }}
          envFrom:
            - secretRef: {name: {{ include "common.instance" .root }}-trial}
          {{- toYaml .values.container | nindent 10 }}
          startupProbe: {{- merge (dict "periodSeconds" 5 "timeoutSeconds" 5 "failureThreshold" 120) .values.probe | toYaml | nindent 12 }}
          readinessProbe: {{- merge (dict "periodSeconds" 5 "timeoutSeconds" 5) .values.probe | toYaml | nindent 12 }}
          livenessProbe: {{- merge (dict "periodSeconds" 20 "timeoutSeconds" 10 "failureThreshold" 6) .values.probe | toYaml | nindent 12 }}
          ports:
            {{- range $port, $number := .values.ports }}
            - {name: {{ $port }}, containerPort: {{ $number }}}
            {{- end }}
          securityContext: {{- include "common.containerSecurity" .root | nindent 12 }}
          volumeMounts:
            {{- range $volume, $path := .values.mounts }}
            - {name: {{ $volume }}, mountPath: {{ $path }}}
            {{- end }}
      volumes:
        {{- range $volume, $_ := omit .values.mounts "config" "data" }}
        - name: {{ $volume }}
          emptyDir: {sizeLimit: 64Mi}
        {{- end }}
        {{- if .values.config }}
        - name: config
          configMap: {name: {{ .fullname }}, defaultMode: 0755}
        {{- end }}
  {{- with .values.storage }}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {{- include "trial.claim" (list $.root .) | nindent 8 }}
  {{- end }}
{{- end }}

{{/* The specification of a claim, (list root size). */}}
{{- define "trial.claim" -}}
accessModes: [ReadWriteOnce]
{{- with (first .).Values.storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ last . }}}}
{{- end }}
