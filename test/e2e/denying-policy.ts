/** An admission policy that refuses updates in one namespace, as JSON: `unless` is CEL over `object`. It says `not today`. */
export function denyingPolicy(of: {
  name: string;
  namespace: string;
  resource: { group: string; name: string };
  unless: string;
}): string {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const rule = { apiGroups: [of.resource.group], apiVersions: ['v1'], operations: ['UPDATE'] };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion,
        kind: 'ValidatingAdmissionPolicy',
        metadata: { name: of.name },
        spec: {
          failurePolicy: 'Fail',
          matchConstraints: {
            namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': of.namespace } },
            resourceRules: [{ ...rule, resources: [of.resource.name] }],
          },
          validations: [{ expression: of.unless, message: 'not today' }],
        },
      },
      {
        apiVersion,
        kind: 'ValidatingAdmissionPolicyBinding',
        metadata: { name: of.name },
        spec: { policyName: of.name, validationActions: ['Deny'] },
      },
    ],
  });
}
