{{/* The Pod of a role of this chart's service: (dict "root" . "role" name "resources" … "secrets" [names of optional ones]). */}}
{{- define "common.pod" -}}
{{- $root := .root -}}
{{- $files := and (ne .role "migrate") (include "common.filesClaim" $root) -}}
serviceAccountName: {{ include "common.fullname" $root }}
{{ include "common.podDefaults" $root }}
securityContext: {{- include "common.podSecurity" 10001 | nindent 2 }}
containers:
  - name: {{ .role }}
    image: {{ include "common.image" $root }}
    imagePullPolicy: {{ $root.Values.global.image.pullPolicy }}
    args: [{{ .role }}]
    envFrom:
      - configMapRef: {name: {{ include "common.fullname" $root }}}
      - secretRef: {name: {{ include "common.secretName" $root }}}
      {{- range .secrets }}
      - secretRef: {name: {{ . }}, optional: true}
      {{- end }}
    {{- with .ports }}
    ports:
      {{- range $name, $port := . }}
      - {name: {{ $name }}, containerPort: {{ $port }}}
      {{- end }}
    {{- end }}
    {{- with .probes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    resources: {{- toYaml .resources | nindent 6 }}
    securityContext: {{- include "common.containerSecurity" $root | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if $files }}
      - {name: files, mountPath: /var/lib/highsea}
      {{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: {{ $root.Values.tmpSize }}}
  {{- if $files }}
  - name: files
    persistentVolumeClaim: {claimName: {{ $files }}}
  {{- end }}
{{- end }}

{{/* What every Pod has, the trial's servers too. */}}
{{- define "common.podDefaults" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.global.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.global.scheduling }}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* A Pod's security context for a user id. */}}
{{- define "common.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "common.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
