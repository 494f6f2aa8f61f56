// Lint: what the type checker and the formatter do not see. Workflows have a stricter world of their own.
import tseslint from 'typescript-eslint';

const workflowOnly = {
  'no-restricted-globals': [
    'error',
    ...['process', 'Buffer', 'setInterval', 'setImmediate', 'fetch', 'crypto', 'performance'].map((name) => ({
      name,
      message: 'not deterministic: workflows have none of it',
    })),
  ],
  'no-restricted-syntax': [
    'error',
    {
      selector: "CallExpression[callee.property.name='toLocaleString']",
      message: 'depends on the host: not in workflows',
    },
  ],
};

export default tseslint.config(
  { ignores: ['node_modules', 'dist', 'coverage', '.stryker-tmp', '.lifeboat', 'docs', '**/*.cjs'] },
  ...tseslint.configs.strictTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // A failure of the table is an Error; the SDK's cancellation reason is typed unknown.
      '@typescript-eslint/only-throw-error': ['error', { allowThrowingAny: true, allowThrowingUnknown: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'always' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      // The generated classes of @kubernetes/client-node are shapes; literals are how they are used.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { ignoreRestSiblings: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      eqeqeq: 'error',
      'no-else-return': 'error',
      'no-nested-ternary': 'off',
      'object-shorthand': 'error',
    },
  },
  { files: ['workflows/**/*.ts'], rules: workflowOnly },
  {
    files: ['**/vitest.config.ts', 'test/**/global-setup.ts', 'test/time-limit.ts'],
    rules: { 'no-restricted-exports': 'off' },
  },
);
