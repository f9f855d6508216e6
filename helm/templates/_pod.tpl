{{/* The template of the pod, for the Deployment as for the StatefulSet. */}}
{{- define "plumbline.podTemplate" -}}
metadata:
  labels:
    {{- toYaml (merge (include "plumbline.labels" . | fromYaml) .Values.podLabels) | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "plumbline.serviceAccountName" . }}
  automountServiceAccountToken: {{ or .Values.customResources.enabled (include "plumbline.leases" . | not | not) (include "plumbline.serviceLevelRules" . | not | not) }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if gt (.Values.replicas | int) 1 }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{- toYaml . | nindent 6 }}
      {{- if not (hasKey . "labelSelector") }}
      labelSelector:
        matchLabels:
          {{- include "plumbline.selectorLabels" $ | nindent 10 }}
      {{- end }}
    {{- end }}
  {{- end }}
  {{- end }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: plumbline
      image: {{ include "plumbline.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [start]
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      env:
        {{- include "plumbline.environment" . | nindent 8 }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.envFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: private
          containerPort: {{ .Values.private.port }}
        - name: hooks
          containerPort: {{ .Values.hooks.port }}
      startupProbe:
        httpGet: {path: /healthz, port: private}
        {{- toYaml .Values.startupProbe | nindent 8 }}
      livenessProbe:
        httpGet: {path: /healthz, port: private}
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      readinessProbe:
        httpGet: {path: /readyz, port: private}
        {{- toYaml .Values.readinessProbe | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - {name: state, mountPath: /var/lib/plumbline}
        - {name: tmp, mountPath: /tmp}
        - {name: configuration, mountPath: /etc/plumbline, readOnly: true}
        - {name: keys, mountPath: /etc/plumbline-keys, readOnly: true}
        {{- if include "plumbline.knownHosts" . }}
        - {name: known-hosts, mountPath: /etc/plumbline-ssh, readOnly: true}
        {{- end }}
        {{- if include "plumbline.authorities" . }}
        - {name: authorities, mountPath: /etc/plumbline-ca, readOnly: true}
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- if not .Values.persistence.enabled }}
    - name: state
      emptyDir: {sizeLimit: {{ .Values.stateSizeLimit }}}
    {{- end }}
    - name: tmp
      emptyDir: {sizeLimit: {{ .Values.tmpSizeLimit }}}
    - name: configuration
      configMap: {name: {{ include "plumbline.configMap" . }}}
    - name: keys
      # Root's, and readable for the pod's fsGroup.
      secret: {secretName: {{ include "plumbline.keysSecret" . }}, defaultMode: 0440}
    {{- with include "plumbline.knownHosts" . }}
    - name: known-hosts
      configMap: {name: {{ . }}}
    {{- end }}
    {{- with include "plumbline.authorities" . }}
    - name: authorities
      configMap:
        name: {{ . }}
        items: [{key: {{ $.Values.caBundle.key }}, path: ca.crt}]
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* What the program reads of its environment; "plumbline --help" knows each. */}}
{{- define "plumbline.environment" -}}
- {name: PLUMBLINE_CONFIG, value: /etc/plumbline}
- {name: PLUMBLINE_STATE_DIR, value: /var/lib/plumbline}
- {name: PLUMBLINE_KEYS_DIR, value: /etc/plumbline-keys}
- {name: PLUMBLINE_INSTALLATION, value: {{ .Values.installation | quote }}}
- {name: PLUMBLINE_LISTEN, value: {{ printf "%s:%d" .Values.private.address (.Values.private.port | int) | quote }}}
- {name: PLUMBLINE_LISTEN_HOOKS, value: {{ printf "%s:%d" .Values.private.address (.Values.hooks.port | int) | quote }}}
- {name: PLUMBLINE_CUSTOM_RESOURCES, value: {{ ternary "auto" "off" .Values.customResources.enabled | quote }}}
{{- with .Values.customResources.namespace }}
- {name: PLUMBLINE_WATCH_NAMESPACE, value: {{ . }}}
{{- end }}
{{- if include "plumbline.leases" . }}
- {name: PLUMBLINE_NAMESPACE, value: {{ .Release.Namespace }}}
- {name: PLUMBLINE_SHARDS, value: {{ .Values.leases.shards | int | quote }}}
- {name: PLUMBLINE_LEASE_DURATION, value: {{ .Values.leases.duration }}}
- {name: PLUMBLINE_LEASE_RETRY, value: {{ .Values.leases.retry }}}
{{- end }}
{{- if include "plumbline.serviceLevelRules" . }}
{{- if not (include "plumbline.leases" .) }}
- {name: PLUMBLINE_NAMESPACE, value: {{ .Release.Namespace }}}
{{- end }}
- {name: PLUMBLINE_PROMETHEUS_RULE, value: {{ include "plumbline.fullname" . }}}
{{- end }}
{{- with .Values.hooks.trustedProxies }}
- {name: PLUMBLINE_TRUST_PROXY, value: {{ join "," . | quote }}}
{{- end }}
- {name: PLUMBLINE_LOG_LEVEL, value: {{ .Values.log.level }}}
- {name: PLUMBLINE_LOG_FORMAT, value: {{ .Values.log.format }}}
{{- if include "plumbline.authorities" . }}
# Read by Node itself, once, when it starts.
- {name: NODE_EXTRA_CA_CERTS, value: /etc/plumbline-ca/ca.crt}
{{- end }}
{{- end -}}

{{/* The ConfigMap of ssh host keys; empty when there are none. */}}
{{- define "plumbline.knownHosts" -}}
{{- with .Values.sshKnownHosts -}}
{{- if .existingConfigMap -}}{{ .existingConfigMap }}{{- else if .text -}}{{ include "plumbline.fullname" $ }}-known-hosts{{- end -}}
{{- end -}}
{{- end -}}

{{/* The ConfigMap of authorities; empty when there are none. */}}
{{- define "plumbline.authorities" -}}
{{- with .Values.caBundle -}}
{{- if .existingConfigMap -}}{{ .existingConfigMap }}{{- else if .text -}}{{ include "plumbline.fullname" $ }}-authorities{{- end -}}
{{- end -}}
{{- end -}}

{{/* Not empty when the pods share the platforms by Leases. */}}
{{- define "plumbline.leases" -}}
{{- if gt (.Values.leases.shards | int) 0 -}}yes{{- end -}}
{{- end -}}

{{/* Not empty when the daemon keeps PrometheusRules of service levels beside the chart's own. */}}
{{- define "plumbline.serviceLevelRules" -}}
{{- if and .Values.prometheusRule.enabled .Values.prometheusRule.serviceLevels -}}yes{{- end -}}
{{- end -}}
