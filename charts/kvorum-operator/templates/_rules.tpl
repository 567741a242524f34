{{/*
What the operator may do in a namespace that it looks after. Secrets are read and written by names that it knows, and
never listed. Members are not entered and their logs not read.
*/}}
{{- define "kvorum-operator.rules" -}}
- apiGroups: [kvorum.dev]
  resources: [etcdclusters]
  verbs: [get, list, watch, update, patch]
- apiGroups: [kvorum.dev]
  resources: [etcdclusters/status]
  verbs: [get, update, patch]
- apiGroups: [kvorum.dev]
  resources: [etcdclusters/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [pods, persistentvolumeclaims]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
# Only its own: whether it is being deleted.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- if .Values.rbac.certManager }}
- apiGroups: [cert-manager.io]
  resources: [certificates]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- end }}

{{/* What it reads that lies in no namespace. */}}
{{- define "kvorum-operator.clusterRules" -}}
{{- if .Values.rbac.nodes }}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
{{- end }}
{{- if .Values.rbac.storageClasses }}
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [get, list, watch]
{{- end }}
{{- end }}
