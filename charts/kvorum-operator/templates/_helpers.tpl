{{/* Names, labels and images; what several templates say in the same words. */}}

{{- define "kvorum-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kvorum-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "kvorum-operator.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "kvorum-operator.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* With something behind it, still within 63 characters: (list CONTEXT "metrics"). */}}
{{- define "kvorum-operator.nameWith" -}}
{{- $end := index . 1 -}}
{{- printf "%s-%s" (include "kvorum-operator.fullname" (index . 0) | trunc (sub 62 (len $end) | int) | trimSuffix "-") $end }}
{{- end }}

{{- define "kvorum-operator.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride }}
{{- end }}

{{/* Of objects that lie in no namespace: two releases of one name in two namespaces must not meet. */}}
{{- define "kvorum-operator.clusterName" -}}
{{- printf "%s:%s" (include "kvorum-operator.namespace" .) (include "kvorum-operator.fullname" .) }}
{{- end }}

{{/* As above, for kinds whose names are DNS names. */}}
{{- define "kvorum-operator.clusterDnsName" -}}
{{- printf "%s.%s.kvorum.dev" (include "kvorum-operator.fullname" .) (include "kvorum-operator.namespace" .) }}
{{- end }}

{{/* Never changes: a Deployment's selector cannot. */}}
{{- define "kvorum-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kvorum-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "kvorum-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "kvorum-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kvorum
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/*
Labels and annotations of an object: (dict "context" . "labels" MAP "annotations" MAP "component" "test"), of which all
but the context may be left out. What belongs to no operator's Pod must not look like one to its selectors.
*/}}
{{- define "kvorum-operator.metadata" -}}
labels:
  {{- $labels := include "kvorum-operator.labels" .context | fromYaml }}
  {{- with .component }}
  {{- $_ := set $labels "app.kubernetes.io/component" . }}
  {{- end }}
  {{- toYaml (mergeOverwrite (deepCopy .context.Values.commonLabels) (default dict .labels) $labels) | nindent 2 }}
{{- with mergeOverwrite (deepCopy (default dict .context.Values.commonAnnotations)) (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "kvorum-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "kvorum-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "kvorum-operator.leaseName" -}}
{{- default (include "kvorum-operator.fullname" .) .Values.leaderElection.leaseName }}
{{- end }}

{{/* With the registry before it: (list CONTEXT "kvorum"). */}}
{{- define "kvorum-operator.repository" -}}
{{- with (index . 0).Values.global.imageRegistry }}{{ trimSuffix "/" . }}/{{ end }}{{ index . 1 }}
{{- end }}

{{- define "kvorum-operator.image" -}}
{{- $tag := default .Chart.AppVersion .Values.image.tag }}
{{- printf "%s:%s" (include "kvorum-operator.repository" (list . .Values.image.repository)) $tag }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "kvorum-operator.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets | uniq -}}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* JSON list of the namespaces that are looked after; empty: all. */}}
{{- define "kvorum-operator.watched" -}}
{{- if .Values.watchAllNamespaces }}
{{- if .Values.watchNamespaces }}
{{- fail "watchAllNamespaces is true and watchNamespaces names some: choose one of the two" }}
{{- end }}
{{- list | toJson }}
{{- else }}
{{- default (list (include "kvorum-operator.namespace" .)) .Values.watchNamespaces | toJson }}
{{- end }}
{{- end }}

{{/* Where `helm test` makes its cluster. */}}
{{- define "kvorum-operator.testNamespace" -}}
{{- $watched := include "kvorum-operator.watched" . | fromJsonArray }}
{{- $own := include "kvorum-operator.namespace" . }}
{{- if or (not $watched) (has $own $watched) }}{{ $own }}{{ else }}{{ first $watched }}{{ end }}
{{- end }}
