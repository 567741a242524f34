{{/* The operator's flags; they are written down in operator/cli/config.ts. */}}
{{- define "kvorum-operator.args" -}}
{{- if and (not .Values.leaderElection.enabled) (gt (int .Values.replicaCount) 1) }}
{{- fail "replicaCount is above 1 and leaderElection.enabled false: two operators would act at the same time" }}
{{- end -}}
- --namespaces={{ include "kvorum-operator.watched" . | fromJsonArray | join "," }}
- --leader-elect={{ .Values.leaderElection.enabled }}
- --lease-namespace={{ include "kvorum-operator.namespace" . }}
- --lease-name={{ include "kvorum-operator.leaseName" . }}
- --metrics-address=:{{ .Values.port }}
- --server-image={{ include "kvorum-operator.repository" (list . .Values.etcdImage.repository) }}
- --concurrency={{ .Values.operator.concurrency }}
- --ip-family={{ .Values.operator.ipFamily }}
- --log-level={{ .Values.operator.logLevel }}
- --log-format={{ .Values.operator.logFormat }}
{{- end }}

{{- define "kvorum-operator.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}
