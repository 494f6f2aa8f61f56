/** What a chart does that makes up its passwords: another one at each installation. */
export const generatingSecret = `apiVersion: v1
kind: Secret
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-secret") | nindent 2 }}
type: Opaque
stringData:
  mysql-root-password: {{ randAlphaNum 20 | quote }}
  application-password: {{ randAlphaNum 20 | quote }}
`;

/**
 * What hooks make is not Helm's own: a password that an upgrade leaves as it is, which each installation makes anew, and a map that
 * Helm does not replace. Their Job asks for a Secret that the owner of the platform made, and nothing else does.
 */
export const hooks = `apiVersion: v1
kind: Secret
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-hooked") | nindent 2 }}
  annotations: { helm.sh/hook: pre-install }
stringData:
  token: {{ randAlphaNum 20 | quote }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-hooked") | nindent 2 }}
  annotations: { helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-failed }
data:
  installed: {{ now | quote }}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-hooked") | nindent 2 }}
  annotations: { helm.sh/hook: pre-install, helm.sh/hook-weight: "1" }
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: hook
          image: {{ include "common.image" . | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: [sh, -c, 'test "$BY_HAND" = kept']
          env: [{ name: BY_HAND, valueFrom: { secretKeyRef: { name: by-hand, key: word } } }]
`;

/** The port of a node is taken while the release runs. */
export const nodePort = `apiVersion: v1
kind: Service
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-outside") | nindent 2 }}
spec:
  type: NodePort
  selector:
    {{- include "common.selectorLabels" . | nindent 4 }}
  ports: [{ name: mysql, port: 3306, nodePort: 30306 }]
`;

/**
 * A kind that the chart brings, and an object of it: Helm installs the first before all else. It asks for two Secrets: one is the
 * owner's of the platform, the other its controller's.
 */
export const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: orders.e2e.example }
spec:
  group: e2e.example
  scope: Namespaced
  names: { kind: Order, plural: orders, singular: order }
  versions:
    - name: v1
      served: true
      storage: true
      schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } }
`;
export const ofThatKind = `apiVersion: e2e.example/v1
kind: Order
metadata:
  {{- include "common.metadata" (dict "root" .) | nindent 2 }}
spec: { paid: yes, bankSecretRef: { name: bank }, receiptSecretName: receipt }
`;

/** A class that no provisioner has: claim and volume find each other by it. */
export const byHand = 'e2e-by-hand';
export const claim = `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "common.metadata" (dict "root" . "suffix" "-archive") | nindent 2 }}
spec:
  storageClassName: ${byHand}
  accessModes: [ReadWriteOnce]
  resources: { requests: { storage: 1Mi } }
`;
export const volume = {
  ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: byHand } },
  spec: {
    ...{ storageClassName: byHand, persistentVolumeReclaimPolicy: 'Retain', hostPath: { path: '/tmp' } },
    ...{ capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'] },
  },
};

/** What a chart has outside of its namespace, as roles beside the servers of Kubernetes. */
export const beside = 'e2e-foreign-beside';
export const outside = `apiVersion: v1
kind: ConfigMap
metadata: { name: mysql-beside, namespace: ${beside} }
data: { of: {{ .Release.Name }} }
`;

/** Modes stand in octal in many charts; read as a decimal number this one is none that the API server takes. */
export const octalMode = 'defaultMode: 0755';
