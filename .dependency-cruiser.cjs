// The arrows of the house (docs/explanation/house.md): who may import whom.
const rooms = [
  'model',
  'transfer',
  'activities',
  'workflows',
  'workers',
  'cli',
  'sandbox',
  'demo',
  'bench',
  'test',
  'scripts',
];
const only = (from, allowed) => ({
  name: `${from}-imports-only-${allowed.join('-') || 'itself'}`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: { path: `^(${rooms.filter((room) => room !== from && !allowed.includes(room)).join('|')})/` },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('model', []),
    only('transfer', ['model']),
    only('activities', ['transfer', 'model']),
    {
      name: 'workflows-import-only-model',
      comment: 'activities are imported as types alone',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        path: '^(transfer|activities|workers|cli|sandbox|demo|bench|test|scripts)/',
        dependencyTypesNot: ['type-only'],
      },
    },
    only('workers', ['workflows', 'activities', 'transfer', 'model']),
    only('cli', ['workers', 'workflows', 'activities', 'transfer', 'model']),
    {
      name: 'methods-do-not-import-methods',
      severity: 'error',
      from: { path: '^activities/methods/(?!index|registry)' },
      to: { path: '^activities/methods/(?!method\\.ts)' },
    },
    {
      name: 'only-clients-know-the-tools',
      severity: 'error',
      from: { path: '^(model|transfer|workflows|activities/(?!clients/))' },
      to: { path: 'node_modules/(execa|@kubernetes|@aws-sdk)', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'model-imports-only-pure-libraries',
      severity: 'error',
      from: { path: '^model/' },
      to: { path: 'node_modules/(?!zod|cron-parser)' },
    },
    { name: 'model-does-no-io', severity: 'error', from: { path: '^model/' }, to: { dependencyTypes: ['core'] } },
    {
      name: 'commands-load-what-they-need',
      comment: 'loading the client of Temporal was a third of the start of a command that does not ask it',
      severity: 'error',
      from: { path: '^cli/' },
      to: {
        path: 'node_modules/@(temporalio|aws-sdk|kubernetes)/',
        dependencyTypesNot: ['type-only', 'dynamic-import'],
      },
    },
    { name: 'not-resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    // As they stand in the source: the compiler takes no import away (verbatimModuleSyntax).
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { conditionNames: ['import', 'node', 'default'], extensions: ['.ts', '.js', '.json'] },
  },
};
