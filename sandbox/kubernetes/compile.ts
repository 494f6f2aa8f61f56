import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startProcess } from '../../activities/clients/process.ts';
import { fileExists } from '../../workers/tools/file-exists.ts';
import { findTool, toolCache } from '../../workers/tools/find-tool.ts';
import { checkout } from '../layout.ts';
import { type Progress, run, timed } from '../run.ts';

/** The version that the go.mod of this folder pins. */
export const kubernetesVersion = 'v1.34.4';

/** Programs of the control plane and the node, by what the compiler calls them. */
export type KubernetesPrograms = Readonly<
  Record<
    | 'kube-apiserver'
    | 'kube-controller-manager'
    | 'kube-scheduler'
    | 'kubelet'
    | 'kube-proxy'
    | 'kubeadm'
    | 'dns'
    | 'local-path-provisioner',
    string
  >
>;

const programs = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kube-proxy',
  'kubeadm',
] as const;
const version = 'k8s.io/component-base/version';
const flags = [
  '-trimpath',
  // The linker drops what debuggers read: making it costs a tenth of the time.
  '-gcflags=all=-dwarf=false',
  '-ldflags',
  `-s -w -X ${version}.gitVersion=${kubernetesVersion} -X ${version}.gitMajor=1 -X ${version}.gitMinor=34`,
] as const;

/** Paths of the compiled programs. They are compiled once per machine and version of the module; go.sum pins the sources. */
export async function compileKubernetes(progress: Progress): Promise<KubernetesPrograms> {
  const source = join(checkout, 'sandbox', 'kubernetes');
  const pins = await Promise.all(['go.sum', 'go.mod', 'dns/main.go'].map((file) => readFile(join(source, file))));
  const digest = createHash('sha256').update(Buffer.concat(pins)).digest('hex').slice(0, 12);
  const parent = join(toolCache(), 'kubernetes');
  const cached = join(parent, `${kubernetesVersion}-${digest}`);
  if (!(await fileExists(cached))) {
    await timed(progress, `Kubernetes ${kubernetesVersion}, compiled from its modules`, async () => {
      await mkdir(parent, { recursive: true });
      const building = await mkdtemp(join(parent, '.building-'));
      try {
        const main = [...programs.map((program) => `k8s.io/kubernetes/cmd/${program}`), './dns'];
        progress(`Kubernetes ${kubernetesVersion}: fetching its modules, then compiling them, once for this machine`);
        await build(source, building, main, progress);
        // Alone: it imports a package whose path differs from another one's only in case, which one build refuses.
        await build(source, building, ['github.com/rancher/local-path-provisioner'], progress);
        await rename(building, cached).catch(async (error: unknown) => {
          if (!(await fileExists(cached))) throw error;
        });
      } finally {
        await rm(building, { recursive: true, force: true });
      }
    });
  }
  const names = [...programs, 'dns', 'local-path-provisioner'] as const;
  return Object.fromEntries(names.map((name) => [name, join(cached, name)])) as KubernetesPrograms;
}

async function build(source: string, target: string, packages: readonly string[], progress: Progress): Promise<void> {
  const env = { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly -buildvcs=false' };
  const go = await findTool('go', progress);
  const listed = await run(go, ['-C', source, 'list', '-deps', ...packages], { env, timeoutMs: 30 * 60_000 });
  const all = listed.trim().split('\n').length;
  // With -v the compiler names each package that it compiles, and those only.
  const compiler = startProcess({
    file: go,
    args: ['-C', source, 'build', '-v', ...flags, '-o', `${target}/`, ...packages],
    env,
  });
  let compiled = 0;
  let last = '';
  const lines = createInterface({ input: compiler.stderr });
  lines.on('line', (line) => {
    compiled += 1;
    last = line;
  });
  const every = setInterval(() => {
    progress(`Kubernetes ${kubernetesVersion}: ${String(compiled)} of at most ${String(all)} packages compiled`);
  }, 60_000);
  try {
    const { exitCode } = await compiler.ended;
    if (exitCode !== 0) throw new Error(`compile ${packages.at(-1) ?? ''} of Kubernetes ${kubernetesVersion}: ${last}`);
  } finally {
    clearInterval(every);
    lines.close();
  }
}
