{{/* Who calls whom by gRPC (design §1): addresses, NetworkPolicies and the trial's databases and keys follow from it. */}}
{{- define "common.calls" -}}
customer: [identity, pool]
identity: []
import: [customer, identity]
notify: [customer, identity]
pool: [customer, identity]
{{- end }}

{{/* Who calls whom in bulk besides, at processes of their own (decision 0039). */}}
{{- define "common.bulkCalls" -}}
import: [customer]
{{- end }}

{{/* The services that call this chart's, as JSON. */}}
{{- define "common.callers" -}}
{{- $callers := list -}}
{{- range $caller, $called := include "common.calls" . | fromYaml -}}
{{- if has $.Chart.Name $called }}{{ $callers = append $callers $caller }}{{ end -}}
{{- end -}}
{{- toJson $callers -}}
{{- end }}
